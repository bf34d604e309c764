# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The module of one file system: its Rust half linked with the C shim.
#
# Its name tells two builds apart, so that both can be loaded at once during an upgrade:
# bento_<fs>_<version>_<8 hex of the sources' hash>.ko
{
  stdenv,
  kernel,
  bentofs,
  staticlib,
  kernelModuleMakeFlags ? [ ], # nixpkgs': which compiler, linker, ...
  sources ? import ./source.nix,
}:
{
  fs, # what the module is called after bento_
  crate ? "${fs}-kmod",
  version ? null, # default: the workspace's
  preferred ? true, # serves `mount -t`, and is autoloaded by its alias
}:
let
  rust = staticlib {
    inherit crate version;
  };
  named = rust.version;
  hash = builtins.substring 0 8 (
    builtins.hashString "sha256" "${rust.src} ${sources.kernelModule} ${named}"
  );
in
stdenv.mkDerivation {
  pname = "bento-${fs}";
  version = "${named}-${kernel.modDirVersion}";
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
      KCFLAGS="$map" KAFLAGS="$map" PAHOLE=$PWD/pahole-ordered W=1 cmd_checkdoc= modules \
      BENTO_NO_CORE=1 KBUILD_EXTRA_SYMBOLS=${bentofs}/share/bentofs/Module.symvers \
      BENTO_FS=${fs} BENTO_VERSION=${named} BENTO_HASH=${hash} \
      BENTO_STATICLIB=${rust}/lib/lib${
        builtins.replaceStrings [ "-" ] [ "_" ] crate
      }.a BENTO_PREFERRED=${if preferred then "1" else "0"} 2>&1 | tee build.log
    # objtool and modpost only warn of what makes a module unsafe to load.
    if grep -E 'warning:|WARNING:' build.log; then
      echo "bento-${fs}: the build above has warnings, and none is allowed" >&2
      exit 1
    fi
    test -e bento_*_${hash}.ko
  '';
  installPhase = "install -Dm644 -t $out/lib/modules/${kernel.modDirVersion}/updates bento_*.ko";
  passthru = {
    inherit
      fs
      crate
      hash
      preferred
      ;
    release = named;
    staticlib = rust;
  };
  meta = {
    description = "A Linux kernel file system in safe Rust";
    platforms = [ "x86_64-linux" ];
    license = {
      spdxId = "GPL-2.0-only";
    };
  }
  // (import ./kernels.nix).support (kernel.kernelOlder or (_: false)) kernel.version;
}
