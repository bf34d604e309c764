# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Everything that ./dev needs, but Debian's packages, which it pins itself.
{ pkgs, toolchain }:
pkgs.mkShell {
  packages = [
    toolchain
    pkgs.cargo-nextest
    pkgs.deadnix
    pkgs.gcc
    pkgs.git
    pkgs.gnumake
    pkgs.nix
    pkgs.nixfmt
    pkgs.python3
    pkgs.rust-bindgen
  ];
}
