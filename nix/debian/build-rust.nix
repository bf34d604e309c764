# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# buildRust of the Debian scope: plain cargo on vendored crates. (The nixpkgs scope has one of
# the same arguments on crane.)
#
#   src         a cargo workspace with its Cargo.lock
#   lockFiles   the Cargo.locks whose crates the build may need
#   args        what follows `cargo build --release`
#   rustflags   a shell command that prints RUSTFLAGS, or ""
#   target      the target's name: a triple, or the stem of targetFile
#   targetFile  a JSON target; core and alloc are then built for it
#   profile     the release profile of the workspace's Cargo.toml, as an attribute set
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
  postPatch ? "",
  postInstall ? "",
  passthru ? { },
}:
let
  cargo =
    args':
    stdenv.mkDerivation (
      {
        nativeBuildInputs = [ rust ];
        RUSTC_BOOTSTRAP = 1; # -Zbuild-std on the stable toolchain, as the kernel's own build does
        # The crates are reached by one path whatever they are, so that the flags, which name
        # it, are those that the library was built with. No message of a program names a
        # folder of the build.
        buildPhase = ''
          export CARGO_HOME=$TMPDIR/cargo vendor=/build/vendor
          mkdir -p $CARGO_HOME
          ln -s ${args'.vendor} $vendor
          sed "s#${args'.vendor}#$vendor#" $vendor/.cargo/config.toml > $CARGO_HOME/config.toml
          ${if rustflags == "" then "" else "RUSTFLAGS=\"$(${rustflags})\""}
          for map in /build/source=bento $vendor=crates ${rust}=rust; do
            RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$map"
          done
          export RUSTFLAGS
          ${if targetFile == null then "" else "cp ${targetFile} /build/${target}.json"}
          cargo build --release --offline -j$NIX_BUILD_CORES ${args'.args} ${
            if targetFile == null then
              "--target ${target}"
            else
              "-Zbuild-std=core,alloc -Zjson-target-spec --target /build/${target}.json"
          }
        '';
      }
      // removeAttrs args' [
        "args"
        "vendor"
      ]
    );

  # The library must be built under the profile of the crates that use it.
  profileFile = builtins.toFile "profile.toml" (
    "[profile.release]\n"
    + builtins.concatStringsSep "" (
      builtins.attrValues (
        builtins.mapAttrs (
          key: value: if builtins.isAttrs value then "" else "${key} = ${builtins.toJSON value}\n"
        ) profile
      )
    )
  );

  std = cargo {
    pname = "rust-std-${target}";
    inherit version;
    vendor = importCargoLock { lockFiles = [ ../rust-std.Cargo.lock ]; };
    src = ../rust-std;
    args = "";
    patchPhase = "cat ${profileFile} >> Cargo.toml";
    installPhase = "cp -a target $out";
  };
in
cargo {
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
    ${if targetFile == null then "" else "cp -aT ${std} target; chmod -R u+w target"}
  '';
  installPhase = ''
    cd target/${target}/release
    find . -maxdepth 1 -name '*.a' -exec install -Dm644 -t $out/lib {} +
    find . -maxdepth 1 -type f -executable ! -name '*.so' -exec install -Dm755 -t $out/bin {} +
    ${postInstall}
  '';
}
