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
      # A file system is compiled with Bento's own crates, in one workspace: one begins with them all.
      templates.default = {
        path = ./.;
        description = "A Linux file system in safe Rust, in a tree of its own made from Bento's";
        welcomeText = ''
          `./dev new memo` makes `rust/memo`, a file system that begins as a copy of `hello`, its
          kernel module `rust/memo-kmod`, and a mount through FUSE (memo may be any name). How it goes
          on is in `rust/hello/README.md`: build, mount, change, upgrade while mounted. For nix build and
          the tests: `git init && git add .` first, for Nix sees what git knows.
        '';
      };
      formatter.${system} = pkgs.nixfmt-tree;
    };
}
