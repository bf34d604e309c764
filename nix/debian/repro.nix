# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Builds all modules of one kernel twice, by make as without Nix, in two folders and two users'
# environments, and compares them. The output lists the hashes.
{
  stdenv,
  tools,
  kernel,
  importCargoLock,
  sources ? import ../source.nix,
}:
{
  fileSystems, # packages of fs-module.nix
}:
let
  inherit (builtins) concatStringsSep map;
  workspace = sources.rustWorkspace (map (fs: fs.crate) fileSystems);
  release = kernel.modDirVersion;
  file =
    fs:
    "bento_${builtins.replaceStrings [ "." "-" ] [ "_" "_" ] "${fs.fs}_${fs.release}"}_${fs.hash}.ko";

  makeOne = fs: ''
    make -C kernel-module KDIR=${kernel.dev}/lib/modules/${release}/build FS=${fs.fs} \
      CRATE=${fs.crate} PREFERRED=${if fs.preferred then "1" else "0"} \
      BENTO_VERSION=${fs.release} BENTO_HASH=${fs.hash}
  '';
  script = ''
    cd $1
    ${concatStringsSep "" (map makeOne fileSystems)}
    # The headers of 6.1 call the release otherwise than the kernel that runs.
    strip --strip-debug kernel-module/build/*/*.ko
  '';
in
stdenv.mkDerivation {
  pname = "bento-repro";
  version = release;
  inherit (sources) kernelModule;
  rust = workspace.src;
  vendor = importCargoLock { lockFiles = sources.rustLocks; };
  nativeBuildInputs = [ tools.rust ];
  buildPhase = ''
    # build FOLDER UMASK VARIABLE=VALUE...
    build() {
      local folder=$1 mask=$2
      shift 2
      mkdir -p $folder
      cp -r $rust $folder/rust
      cp -r $kernelModule $folder/kernel-module
      chmod -R u+w $folder
      (cd $folder/rust && eval "$strike")
      mkdir -p $folder/.home/.cargo
      cp $vendor/.cargo/config.toml $folder/.home/.cargo/config.toml
      (umask $mask; env -i PATH=$PATH HOME=$folder/.home "$@" BENTO_CARGO=--offline BENTO_VENDOR=$vendor bash -ec "$script" build $folder)
    }
    build /build/one 022 USER=alice LANG=C TZ=UTC MAKEFLAGS=-j1
    build /home/bob/src/a/longer/folder/bento 077 USER=bob LANG=C.UTF-8 TZ=Asia/Tokyo MAKEFLAGS=-j3 \
      SOURCE_DATE_EPOCH=1700000000 KBUILD_BUILD_USER=bob KBUILD_BUILD_HOST=elsewhere
  '';
  strike = workspace.postPatch;
  inherit script;
  installPhase = ''
    different=0
    for name in bentofs.ko ${concatStringsSep " " (map file fileSystems)}; do
      one=$(echo /build/one/kernel-module/build/*/$name)
      two=$(echo /home/bob/src/a/longer/folder/bento/kernel-module/build/*/$name)
      cmp $one $two || different=1
      echo "$(sha256sum < $one | cut -d' ' -f1)  ${release}/$name" | tee -a $out
    done
    [ $different = 0 ] || { echo "not reproducible: see above" >&2; exit 1; }
  '';
}
