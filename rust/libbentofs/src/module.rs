// SPDX-License-Identifier: GPL-2.0-only
//! What makes a file system a kernel module. C: `kernel-module/fs_module.c`.

use core::ffi::c_int;

pub use bento_sys::bento_fs_ops;

/// Defines the two symbols that the C shim of a module needs: the table of operations of the file
/// system (`bento_rust_ops`) and the initialisation of the Rust side (`bento_rust_init`).
///
/// Once per module: `libbentofs::bento_module! { fs: Hello }`. The type implements
/// [`crate::KernelFs`]: `FileSystem` and `Upgrade` on a `KernelDisk` or on `NoDevice`.
///
/// Where `BENTO_VERSION` is set in the environment of the compiler it replaces the version of the
/// file system: so a second build can be made of one source, to try an upgrade.
#[macro_export]
macro_rules! bento_module {
    (fs: $fs:ty $(,)?) => {
        /// What the file system offers to bentofs.
        #[unsafe(no_mangle)]
        #[expect(non_upper_case_globals, reason = "the name is that of the C side")]
        pub static bento_rust_ops: $crate::module::bento_fs_ops =
            $crate::table::<$fs>(::core::option_env!("BENTO_VERSION"));

        /// Prepares the Rust side: 0 or a negative errno. Before any operation is called.
        #[unsafe(no_mangle)]
        pub extern "C" fn bento_rust_init() -> ::core::ffi::c_int {
            $crate::module::init()
        }
    };
}

/// Sets the log up and reads the unwind tables. Once, when the module is loaded.
///
/// Returns 0, or `-ENOEXEC` where the module cannot contain a panic.
#[must_use]
pub fn init() -> c_int {
    libbentoks::logger::init();
    #[cfg(target_os = "none")]
    return crate::unwind::init();
    #[cfg(not(target_os = "none"))]
    0
}
