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
  kernels = import ./kernels.nix;

  toolchain =
    (rust-overlay.lib.mkRustBin { } pkgs).fromRustupToolchainFile
      ../rust/rust-toolchain.toml;
  craneLib = (crane.mkLib pkgs).overrideToolchain (_: toolchain);
  buildRust = import ./crane-build-rust.nix { inherit lib craneLib; };

  importCargoLock =
    { lockFiles }:
    pkgs.rustPlatform.importCargoLock { lockFile = builtins.head lockFiles; };

  # With the callPackage of a kernel's package set: its compiler, its kernelModuleMakeFlags.
  packagesFor =
    callPackage:
    import ./packages.nix {
      callPackage =
        file: args:
        let
          wanted = builtins.functionArgs (import file);
        in
        callPackage file (builtins.intersectAttrs wanted { inherit buildRust importCargoLock; } // args);
    };

  modulesFor = linuxPackages: (packagesFor linuxPackages.callPackage).perKernel;
  packageSet = packagesFor pkgs.linuxPackages.callPackage;
  programs = builtins.mapAttrs (
    _: program:
    program
    // {
      # For a kernel of one's own: linuxPackages.callPackage xv6-tools.kernelModule { }
      kernelModule = { callPackage }: (packagesFor callPackage).perKernel.bento-xv6;
      kernelModules = { callPackage }: (packagesFor callPackage).perKernel;
    }
  ) packageSet.programs;

  # label -> package set of a kernel
  kernelSets = builtins.mapAttrs (_: attribute: pkgs.${attribute}) kernels.sets;
  perKernel = builtins.mapAttrs (_: modulesFor) kernelSets;

  suffixed =
    label: set:
    builtins.listToAttrs (
      map (name: {
        name = "${name}-${label}";
        value = set.${name};
      }) (builtins.attrNames set)
    );
  merge = builtins.foldl' (all: set: all // set) { };
  withKernel =
    f:
    merge (map (label: suffixed label (f label kernelSets.${label})) (builtins.attrNames kernelSets));

  module = import ./module.nix { inherit modulesFor programs; };

  optionDocs = import ./option-docs.nix { inherit pkgs module; };

  nixosTest =
    label: linuxPackages: name:
    import ../nixos-tests/nixos.nix {
      inherit
        pkgs
        linuxPackages
        programs
        module
        name
        ;
      modules = perKernel.${label};
    };
  matrix = import ../nixos-tests/matrix.nix;
  vmTests = withKernel (
    label: linuxPackages:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = nixosTest label linuxPackages name;
      }) (matrix.of label)
    )
  );

  rustSource = builtins.path {
    name = "bento-rust";
    path = ../rust;
    filter = path: _: baseNameOf path != "target";
  };
  rustChecks = import ./rust-checks.nix {
    inherit
      pkgs
      craneLib
      toolchain
      rustSource
      ;
  };
in
{
  inherit
    modulesFor
    perKernel
    programs
    module
    ;

  packages =
    programs
    // modulesFor pkgs.linuxPackages
    // withKernel (label: _: perKernel.${label})
    // {
      default = (modulesFor pkgs.linuxPackages).bento-xv6;
      option-docs = optionDocs;
    };

  checks = vmTests // rustChecks;

  devShell = import ./shell.nix { inherit pkgs toolchain; };

  demo = {
    type = "app";
    program = "${(nixosTest "linux_6_12" kernelSets.linux_6_12 "demo").driver}/bin/nixos-test-driver";
    meta.description = "Shows Bento at work in a virtual machine";
  };
}
