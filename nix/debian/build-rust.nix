# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# buildRust of the Debian scope: plain cargo on vendored crates. (The nixpkgs scope has one of
# the same arguments on crane.)
#
#   src        a cargo workspace with its Cargo.lock
#   lockFiles  the Cargo.locks whose crates the build may need
#   args       what follows `cargo build --release`
#   rustflags  a shell command that prints RUSTFLAGS, or ""
#   target     the target's name: a triple, or the stem of a JSON target's file
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
  rustflags ? "",
  postPatch ? "",
  postInstall ? "",
}:
stdenv.mkDerivation {
  inherit pname version src;
  nativeBuildInputs = [ rust ];
  vendor = importCargoLock { inherit lockFiles; };
  RUSTC_BOOTSTRAP = 1; # -Zbuild-std on the stable toolchain, as the kernel's own build does
  patchPhase = postPatch;
  buildPhase = ''
    export CARGO_HOME=$TMPDIR/cargo
    mkdir -p $CARGO_HOME
    cp $vendor/.cargo/config.toml $CARGO_HOME
    ${if rustflags == "" then "" else "export RUSTFLAGS=$(${rustflags})"}
    cargo build --release --offline -j$NIX_BUILD_CORES ${args}
  '';
  installPhase = ''
    cd target/${target}/release
    find . -maxdepth 1 -name '*.a' -exec install -Dm644 -t $out/lib {} +
    find . -maxdepth 1 -type f -executable ! -name '*.so' -exec install -Dm755 -t $out/bin {} +
    ${postInstall}
  '';
}
