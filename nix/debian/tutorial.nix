# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Runs the command blocks of rust/hello/README.md that build: makes a file system, its module,
# changes it, and makes the module again. The output has the folder that the blocks for the kernel
# begin in.
{
  stdenv,
  tools,
  kernel,
  importCargoLock,
  sources ? import ../source.nix,
}:
let
  workspace = sources.rustWorkspace [
    "hello-kmod"
    "bento-fuse"
  ];
in
stdenv.mkDerivation {
  pname = "bento-tutorial";
  version = kernel.modDirVersion;
  inherit (sources) kernelModule;
  rust = workspace.src;
  strike = workspace.postPatch;
  new = ../../rust/new;
  dev = ../../dev;
  page = ../../rust/hello/README.md;
  # For rust.mk: crates are there already, and come from here.
  BENTO_VENDOR = importCargoLock { lockFiles = sources.rustLocks; };
  BENTO_CARGO = "--offline";
  KDIR = "${kernel.dev}/lib/modules/${kernel.modDirVersion}/build";
  nativeBuildInputs = [ tools.rust ];
  buildPhase = ''
    cp -r $rust rust
    cp -r $kernelModule kernel-module
    cp $dev dev
    chmod -R u+w .
    (cd rust && eval "$strike")
    cp $new rust/new
    mkdir -p .home/.cargo
    export HOME=$PWD/.home
    cp $BENTO_VENDOR/.cargo/config.toml .home/.cargo
    for block in new build change rebuild; do
      echo "tutorial: $block"
      awk -v name="$block" '/^```$/ { on = 0 } on; $0 == "```sh " name { on = 1 }' $page > block
      [ -s block ]
      bash -eu block
    done
  '';
  installPhase = ''
    mkdir -p $out/kernel-module/build/${kernel.modDirVersion}
    cp kernel-module/build/${kernel.modDirVersion}/*.ko $out/kernel-module/build/${kernel.modDirVersion}
    cp $page $out/README.md
  '';
}
