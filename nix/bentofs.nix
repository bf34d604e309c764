# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# bentofs.ko, and the Module.symvers that modules of file systems are linked against.
{
  stdenv,
  kernel,
  kernelModuleMakeFlags ? [ ], # nixpkgs': which compiler, linker, ...
  sources ? import ./source.nix,
}:
stdenv.mkDerivation {
  pname = "bentofs";
  version = kernel.modDirVersion;
  src = sources.kernelModule;
  nativeBuildInputs = kernel.moduleBuildDependencies;
  hardeningDisable = [
    "pic"
    "format"
  ];
  KDIR = "${kernel.dev}/lib/modules/${kernel.modDirVersion}/build";
  # (cmd_checkdoc: W=1 would also run the kernel's documentation checker, which wants more tools.)
  buildPhase = ''
    # What a WARN() keeps of its file's name must not tell where it was built (as in the Makefile).
    map="-ffile-prefix-map=$PWD/= -ffile-prefix-map=$PWD=."
    make -j$NIX_BUILD_CORES -C $KDIR M=$PWD ${toString kernelModuleMakeFlags} \
      KCFLAGS="$map" KAFLAGS="$map" PAHOLE=$PWD/pahole-ordered W=1 cmd_checkdoc= modules 2>&1 | tee build.log
    # objtool and modpost only warn of what makes a module unsafe to load.
    if grep -E 'warning:|WARNING:' build.log; then
      echo "bentofs: the build above has warnings, and none is allowed" >&2
      exit 1
    fi
    test -e bentofs.ko
  '';
  installPhase = ''
    install -Dm644 -t $out/lib/modules/${kernel.modDirVersion}/updates bentofs.ko
    install -Dm644 -t $out/share/bentofs Module.symvers
  '';
  meta = {
    description = "Serves Linux kernel file systems in safe Rust";
    platforms = [ "x86_64-linux" ];
    license = {
      spdxId = "GPL-2.0-only";
    };
  }
  // (import ./kernels.nix).support (kernel.kernelOlder or (_: false)) kernel.version;
}
