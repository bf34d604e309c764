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
      pkgs = nixpkgs.legacyPackages.${system};
      bento = import ./nix/nixpkgs.nix { inherit pkgs crane rust-overlay; };
    in
    {
      packages.${system} = bento.packages;
      # By kernel, and Debian's kernels, which need no input.
      legacyPackages.${system} = bento.perKernel // {
        debian = (import ./nix/debian/bento.nix { }).packages;
      };
      overlays.default = import ./nix/overlay.nix { inherit crane rust-overlay; };
      nixosModules.default = {
        imports = [ bento.module ];
      };
      checks.${system} = bento.checks;
      devShells.${system}.default = bento.devShell;
      apps.${system}.demo = bento.demo;
      formatter.${system} = pkgs.nixfmt-tree;
    };
}
