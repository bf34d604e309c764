// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Loading and unloading modules.
//!
//! Files are loaded by the system calls themselves, which answer with an error number instead of
//! a text, and what was checked is what is loaded. Where a module lies is for kmod(8) to say, which
//! knows depmod's tables, the administrator's aliases and what is compressed how.

use crate::failure::{Failure, Kind, Result, describe};
use crate::host::{Host, read_if_there};
use crate::module_file::ModuleFile;
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the argument is a file, not the name of a module.
pub(crate) fn is_file(name: &str) -> bool {
    let packed = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];
    name.contains('/') || packed.iter().any(|end| name.ends_with(end))
}

/// The file of an installed module, by its name or alias.
pub(crate) fn installed(name: &str) -> Result<PathBuf> {
    let mut command = Command::new("modinfo");
    command.args(["-F", "filename", "--", name]);
    let output = command
        .output()
        .map_err(|error| Failure::io("modinfo (of kmod)", &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(file) if output.status.success() && is_file(file) => Ok(PathBuf::from(file)),
        _ => {
            let text = format!(
                "{name}: no build that is loaded, no installed module, no file; \
                 `bentoctl list` shows what is loaded, and a file is named with its path"
            );
            Err(Failure::new(Kind::NotFound, text))
        }
    }
}

/// Loads bentofs itself where it is not there yet.
pub(crate) fn load_bentofs(host: &Host) -> Result {
    if host.bentofs().is_dir() || !host.is_real() {
        return host.require_bentofs();
    }
    let output = Command::new("modprobe").arg("bentofs").output();
    let output = output.map_err(|error| Failure::io("modprobe (of kmod)", &error))?;
    if output.status.success() {
        return host.require_bentofs();
    }
    let kind = match rustix::process::geteuid().is_root() {
        true => Kind::Failed,
        false => Kind::Permission,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let text = format!("bentofs cannot be loaded: {}", said.trim());
    Err(Failure::new(kind, text))
}

/// Whether a module is loaded: its source checksum, as far as it has one.
pub(crate) fn loaded(host: &Host, name: &str) -> Result<Option<Option<String>>> {
    let folder = host.module(name);
    if !folder.is_dir() {
        return Ok(None);
    }
    Ok(Some(read_if_there(&folder.join("srcversion"))?))
}

/// Loads a module. With `hold` it registers its build and leaves all mounts alone.
pub(crate) fn load(host: &Host, module: &ModuleFile, hold: bool) -> Result {
    require_real(host, "loads")?;
    let parameters = if hold { c"hold=1" } else { c"hold=0" };
    let done = if let Some(image) = &module.unpacked {
        rustix::system::init_module(image, parameters)
    } else {
        let file = File::open(&module.path);
        let file = file.map_err(|error| Failure::io(module.path.display(), &error))?;
        // The kernel, and who appraises files for it, sees the file itself.
        rustix::system::finit_module(file, parameters, 0)
    };
    done.map_err(|error| load_failure(&module.path, error))
}

fn load_failure(path: &Path, error: Errno) -> Failure {
    let (kind, why) = match error {
        Errno::PERM | Errno::ACCESS => (Kind::Permission, "only root may load modules"),
        // EINVAL and ENOENT: a function of bentofs has another type, or is not there.
        Errno::NOEXEC | Errno::INVAL | Errno::NOENT => (
            Kind::Refused,
            "refused by the kernel or by bentofs: built for another of either; dmesg says more",
        ),
        Errno::NOKEY | Errno::KEYREJECTED | Errno::BADMSG => (
            Kind::Refused,
            "it is not signed with a key that this kernel trusts (Secure Boot)",
        ),
        error => {
            let text = format!(
                "{}: the kernel did not load it: {}; dmesg says more",
                path.display(),
                describe(&error.into())
            );
            return Failure::new(Kind::Failed, text);
        }
    };
    Failure::new(kind, format!("{}: {why}", path.display()))
}

/// Unloads a module at once or not at all.
pub(crate) fn unload(host: &Host, name: &str) -> Result<core::result::Result<(), Errno>> {
    require_real(host, "unloads")?;
    let name = CString::new(name)
        .map_err(|_| Failure::new(Kind::NotFound, "a module's name has no NUL"))?;
    // O_NONBLOCK, without which the call would wait for the last user.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    Ok(rustix::system::delete_module(&name, flags))
}

/// A folder of a test has no kernel that could be changed.
fn require_real(host: &Host, what: &str) -> Result {
    if host.is_real() {
        return Ok(());
    }
    let text = format!("BENTOCTL_ROOT is set: nothing {what} modules there");
    Err(Failure::new(Kind::Failed, text))
}
