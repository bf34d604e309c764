# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Bento on nixpkgs kernels. Wiring only: the packages are those of nix/packages.nix, which
# nix/debian/flake.nix builds, too, from pinned Debian packages and without any input.
{
  description = "Linux kernel file systems in safe Rust, replaced while they are mounted";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    crane.url = "github:ipetkov/crane";
    rust-overlay = {
      url = "github:oxalica/rust-overlay";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      nixpkgs,
      crane,
      rust-overlay,
      ...
    }:
    let
      system = "x86_64-linux";
      bento = import ./nix/nixpkgs.nix {
        pkgs = nixpkgs.legacyPackages.${system};
        inherit crane rust-overlay;
      };
    in
    {
      packages.${system} = bento.packages;
      checks.${system} = bento.checks;
      nixosModules.default = {
        imports = [ (import ./nix/module.nix { inherit (bento) modulesFor programs; }) ];
      };
    };
}
