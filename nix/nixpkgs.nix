# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The nixpkgs scope: what nix/debian/bento.nix is for Debian's packages. It supplies buildRust
# (crane), the toolchain (rust-overlay, from rust/rust-toolchain.toml) and nixpkgs' kernels to
# the shared expressions.
{
  pkgs,
  crane,
  rust-overlay,
}:
let
  inherit (pkgs) lib;

  toolchain =
    (rust-overlay.lib.mkRustBin { } pkgs).fromRustupToolchainFile
      ../rust/rust-toolchain.toml;
  buildRust = import ./crane-build-rust.nix {
    inherit lib;
    craneLib = (crane.mkLib pkgs).overrideToolchain (_: toolchain);
  };

  importCargoLock =
    { lockFiles }:
    pkgs.rustPlatform.importCargoLock { lockFile = lib.head lockFiles; };

  # A kernel's own package set (its compiler, kernelModuleMakeFlags) with buildRust added.
  packagesFor =
    linuxPackages:
    import ./packages.nix {
      callPackage =
        file: args:
        let
          wanted = builtins.functionArgs (import file);
        in
        linuxPackages.callPackage file (
          builtins.intersectAttrs wanted { inherit buildRust importCargoLock; } // args
        );
    };

  kernels = {
    inherit (pkgs.linuxKernel.packages) linux_6_1 linux_6_12;
  };

  modulesFor = linuxPackages: (packagesFor linuxPackages).perKernel;
  inherit (packagesFor pkgs.linuxPackages) programs;

  named = label: lib.mapAttrs' (name: lib.nameValuePair "${name}-${label}");
in
{
  inherit modulesFor programs;

  packages =
    programs
    // modulesFor pkgs.linuxPackages
    // lib.concatMapAttrs (label: set: named label (modulesFor set)) kernels
    // {
      default = (modulesFor pkgs.linuxPackages).bento-xv6;
    };

  checks = lib.mapAttrs' (
    label: linuxPackages:
    lib.nameValuePair "tree-git-${label}" (
      import ../nixos-tests/nixos.nix {
        inherit pkgs linuxPackages programs;
        modules = modulesFor linuxPackages;
        module = import ./module.nix { inherit modulesFor programs; };
        name = "tree-git";
      }
    )
  ) kernels;
}
