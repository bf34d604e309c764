# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A file system's Rust half for one kernel: lib/lib<crate>.a. Which code generation the
# kernel's own build used (retpolines, return thunks, IBT, ...) decides the flags;
# kernel-module/rust.mk reads them from the kernel's configuration.
{
  buildRust,
  kernel,
  sources ? import ./source.nix,
}:
{
  crate,
  version ? null, # instead of the workspace's, so that an upgrade can be tried
}:
let
  workspace = sources.rustWorkspace [ crate ];
  named = if version == null then workspace.version else version;
  build = "${kernel.dev}/lib/modules/${kernel.modDirVersion}/build";
in
buildRust {
  pname = "${crate}-staticlib";
  version = "${named}-${kernel.modDirVersion}";
  env.BENTO_VERSION = named;
  inherit (workspace) src postPatch profile;
  lockFiles = sources.rustLocks;
  args = "-p ${crate}";
  # rust.mk wants to lie where it lies in the tree: beside a folder rust/.
  rustflags = ''
    mkdir -p $NIX_BUILD_TOP/kernel-module
    ln -sfT $PWD $NIX_BUILD_TOP/rust
    cp ${../kernel-module/rust.mk} $NIX_BUILD_TOP/kernel-module/rust.mk
    make -s -f $NIX_BUILD_TOP/kernel-module/rust.mk KDIR=${build} BENTO_VENDOR=$vendor print-rustflags
  '';
  target = "x86_64-bento-kernel";
  targetFile = ../kernel-module/x86_64-bento-kernel.json;
  passthru = {
    inherit (workspace) src;
    version = named;
  };
}
