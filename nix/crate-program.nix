# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A program that is published as a crate, at the version that the Cargo.lock of a folder of pins
# names.
{
  buildRust,
  importCargoLock,
}:
{
  crate,
  bin ? crate,
  pins ? ./pins,
}:
let
  lockFile = pins + "/Cargo.lock";
  packages = (builtins.fromTOML (builtins.readFile lockFile)).package;
  inherit (builtins.head (builtins.filter (p: p.name == crate) packages)) version;
in
buildRust {
  pname = bin;
  inherit version;
  src = "${importCargoLock { lockFiles = [ lockFile ]; }}/${crate}-${version}";
  lockFiles = [ lockFile ];
  # Only what the pins lock is at hand: not what the crate's own tests need.
  postPatch = ''
    rm -f Cargo.lock
    awk 'BEGIN { keep = 1 } /^\[/ { keep = !/dev-dependencies/ } keep' Cargo.toml > Cargo.toml.new
    mv Cargo.toml.new Cargo.toml
  '';
  args = "--bin ${bin}";
  target = "x86_64-unknown-linux-gnu";
}
