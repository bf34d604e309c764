# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# buildRust of the Debian scope: plain cargo on vendored crates. (The nixpkgs scope has one of
# the same arguments on crane.)
#
#   src         a cargo workspace
#   lockFiles   the Cargo.locks whose crates the build may need
#   args        what follows `cargo build --release`
#   rustflags   a shell command that prints RUSTFLAGS, or ""
#   target      the target's name: a triple, or the stem of targetFile
#   targetFile  a JSON target; core and alloc are then built for it
#   profile     the release profile of the workspace's Cargo.toml, as an attribute set
#   env         environment variables that the crates read
#
# Building core takes ten times as long as building a file system, so it is a derivation of
# its own, which a change of our crates does not touch.
{
  stdenv,
  rust,
  importCargoLock,
}:
{
  pname,
  version,
  src,
  lockFiles,
  args,
  target,
  targetFile ? null,
  rustflags ? "",
  profile ? { },
  env ? { },
  postPatch ? "",
  postInstall ? "",
  passthru ? { },
}:
let
  inherit (builtins) attrValues concatStringsSep mapAttrs;
  forKernel = targetFile != null;
  targetArgs =
    if forKernel then
      "-Zbuild-std=core,alloc -Zjson-target-spec --target /build/${target}.json"
    else
      "--target ${target}";

  # The crates are reached by one path whatever they are, so that the flags, which name it, are
  # those that the library was built with. No message of a program names a folder of the build.
  cargo =
    { vendor, args, ... }@drv:
    stdenv.mkDerivation (
      {
        nativeBuildInputs = [ rust ];
        RUSTC_BOOTSTRAP = 1; # -Zbuild-std on the stable toolchain, as the kernel's own build does
        buildPhase = ''
          export CARGO_HOME=$TMPDIR/cargo vendor=/build/vendor
          mkdir -p $CARGO_HOME
          ln -s ${vendor} $vendor
          sed "s#${vendor}#$vendor#" $vendor/.cargo/config.toml > $CARGO_HOME/config.toml
          ${if forKernel then "cp ${targetFile} /build/${target}.json" else ""}
          ${if rustflags == "" then "" else "RUSTFLAGS=\"$(${rustflags})\""}
          for map in /build/source=bento $vendor=crates ${rust}=rust; do
            RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$map"
          done
          export RUSTFLAGS
          cargo build --release --offline -j$NIX_BUILD_CORES ${args} ${targetArgs}
        '';
      }
      // removeAttrs drv [
        "args"
        "vendor"
      ]
    );

  # The library must be built under the profile of the crates that use it.
  profileFile = builtins.toFile "profile.toml" (
    "[profile.release]\n"
    + concatStringsSep "" (
      attrValues (
        mapAttrs (
          key: value: if builtins.isAttrs value then "" else "${key} = ${builtins.toJSON value}\n"
        ) profile
      )
    )
  );

  std = cargo {
    pname = "rust-std";
    version = target;
    src = ../rust-std;
    vendor = importCargoLock { lockFiles = [ ../rust-std.Cargo.lock ]; };
    args = "";
    patchPhase = "cat ${profileFile} >> Cargo.toml";
    installPhase = "cp -a target $out";
  };
in
cargo (
  env
  // {
    inherit
      pname
      version
      src
      args
      passthru
      ;
    vendor = importCargoLock { inherit lockFiles; };
    # cargo compares times: those of the store, all equal, say that nothing has changed.
    patchPhase = ''
      ${postPatch}
      ${if forKernel then "cp -aT ${std} target; chmod -R u+w target" else ""}
    '';
    installPhase = ''
      cd target/${target}/release
      find . -maxdepth 1 -name '*.a' -exec install -Dm644 -t $out/lib {} +
      find . -maxdepth 1 -type f -executable ! -name '*.so' -exec install -Dm755 -t $out/bin {} +
      ${postInstall}
    '';
  }
)
