# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A test double of what flake.nix and the NixOS module take from nixpkgs, crane and rust-overlay:
# just enough that everything evaluates to plain values. A package is an attribute set whose
# outPath says how it was made; nothing here builds.
let
  inherit (builtins)
    attrNames
    concatMap
    foldl'
    functionArgs
    intersectAttrs
    isAttrs
    isFunction
    isList
    listToAttrs
    mapAttrs
    ;

  # What a builder was called with, as a package.
  package =
    name: args:
    {
      type = "derivation";
      inherit name args;
      outPath = "/double/${name}";
      drvPath = "/double/${name}.drv";
      meta = args.meta or { };
    }
    // (args.passthru or { });
  nameOf = args: args.name or "${args.pname}-${args.version}";

  merge =
    a: b:
    if isAttrs a && isAttrs b && !(a ? type) then
      a // mapAttrs (name: value: if a ? ${name} then merge a.${name} value else value) b
    else if isList a && isList b then
      a ++ b
    else
      b;

  lib = {
    mkOption = option: option // { _type = "option"; };
    mkEnableOption = description: {
      _type = "option";
      type = "bool";
      default = false;
      inherit description;
    };
    mkIf = condition: value: if condition then value else { };
    mkMerge = foldl' merge { };
    literalExpression = text: { inherit text; };
    optionalString = condition: text: if condition then text else "";
    concatStringsSep = builtins.concatStringsSep;
    types = {
      bool = "bool";
      package = "package";
      str = "str";
      enum = values: { enum = values; };
      listOf = of: { listOf = of; };
      attrsOf = of: { attrsOf = of; };
      nullOr = of: { nullOr = of; };
      submodule = module: { submodule = module; };
    };
    evalModules = { modules, ... }: {
      options = (foldl' merge { } (map (m: (load m { }).options or { }) modules));
    };
  };

  load = module: config: if isFunction module then module { inherit config lib pkgs; } else module;

  callPackageWith =
    scope: file: args:
    let
      function = if isFunction file then file else import file;
    in
    function (intersectAttrs (functionArgs function) scope // args);

  # Compares "6.1" and "6.12" as versions.
  kernelOf = version: rec {
    inherit version;
    modDirVersion = version;
    dev = "/double/linux-${version}-dev";
    moduleBuildDependencies = [ "/double/pahole" ];
    kernelOlder = other: builtins.compareVersions version other < 0;
    kernelAtLeast = other: !(kernelOlder other);
  };

  linuxPackages =
    version:
    let
      scope = pkgs // {
        kernel = kernelOf version;
        kernelModuleMakeFlags = [ "CC=/double/cc-${version}" ];
        callPackage = callPackageWith scope;
      };
    in
    {
      inherit (scope) kernel callPackage;
    };

  pkgs = {
    inherit lib;
    stdenv.mkDerivation = args: package (nameOf args) args;
    runCommand =
      name: args: script:
      package name (args // { inherit script; });
    mkShell = args: package "shell" args;
    rustPlatform.importCargoLock = { lockFile }: package "cargo-vendor-dir" { inherit lockFile; };
    nixosOptionsDoc = { options }: { optionsCommonMark = package "options.md" { inherit options; }; };
    testers.runNixOSTest =
      test: package "vm-test-${test.name}" test // { driver = package "driver-${test.name}" test; };
    callPackage = callPackageWith pkgs;
    linuxPackages = linuxPackages "6.18.44";
    linuxPackages_6_1 = linuxPackages "6.1.180";
    linuxPackages_6_6 = linuxPackages "6.6.147";
    linuxPackages_6_12 = linuxPackages "6.12.100";
    linuxPackages_6_18 = linuxPackages "6.18.44";
    linuxPackages_latest = linuxPackages "7.1.9";
  }
  // listToAttrs (
    map
      (name: {
        inherit name;
        value = package name { };
      })
      [
        "cargo-nextest"
        "deadnix"
        "gcc"
        "git"
        "gnumake"
        "kmod"
        "nix"
        "nixfmt"
        "nixfmt-tree"
        "python3"
        "rust-bindgen"
        "xfstests"
      ]
  );

  crane.mkLib = _: {
    overrideToolchain =
      _:
      {
        vendorMultipleCargoDeps = args: package "vendor" args;
      }
      //
        mapAttrs
          (
            name: _: args:
            package "${name}-${nameOf args}" args
          )
          {
            buildPackage = null;
            buildDepsOnly = null;
            cargoClippy = null;
            cargoDoc = null;
            cargoFmt = null;
            cargoNextest = null;
          };
  };
  rust-overlay.lib.mkRustBin = _: _: {
    fromRustupToolchainFile = file: package "rust" { inherit file; };
  };

  flake = (import ../../flake.nix).outputs {
    self = { };
    nixpkgs.legacyPackages.x86_64-linux = pkgs;
    inherit crane rust-overlay;
  };
  system = "x86_64-linux";
in
{
  inherit
    flake
    lib
    pkgs
    linuxPackages
    merge
    ;

  # Names of everything that the flake offers.
  names = {
    outputs = attrNames flake;
    packages = attrNames flake.packages.${system};
    legacyPackages = mapAttrs (_: attrNames) (removeAttrs flake.legacyPackages.${system} [ "debian" ]);
    checks = attrNames flake.checks.${system};
  };

  # Forces what can be forced without nixpkgs: the name and path of each.
  paths = mapAttrs (_: p: p.outPath) (flake.packages.${system} // flake.checks.${system});

  broken =
    mapAttrs (_: set: set.bentofs.meta.broken) (removeAttrs flake.legacyPackages.${system} [ "debian" ])
    // {
      old = ((import ../kernels.nix).support (linuxPackages "5.15.1").kernel.kernelOlder "5.15.1").broken;
    };

  # The text that builds a module for a kernel.
  build = label: name: flake.legacyPackages.${system}.${label}.${name}.args.buildPhase;

  # One configuration of a machine, seen by the module.
  machine =
    {
      config,
      kernel ? "6.12.100",
      modulePath ? ../module.nix,
    }:
    let
      full = merge {
        boot = {
          kernelPackages = linuxPackages kernel;
          supportedFilesystems = { };
          bento = {
            enable = false;
            onSwitch = "upgrade";
            package = package "bentoctl" { };
            fileSystems = { };
          };
        };
        security.lockKernelModules = false;
      } config;
      module = import modulePath {
        modulesFor = set: {
          bentofs = package "bentofs-${set.kernel.version}" { };
          bento-xv6 = package "bento-xv6-${set.kernel.version}" { };
          bento-hello = package "bento-hello-${set.kernel.version}" { };
          bento-prov = package "bento-prov-${set.kernel.version}" { };
        };
        programs.xv6-tools = package "xv6-tools" { };
        programs.bentoctl = package "bentoctl" { };
      };
      result =
        (module {
          config = full;
          inherit lib pkgs;
        }).config;
      names = map (p: p.name or p);
    in
    if result == { } then
      { nothing = true; }
    else
      {
        failed = concatMap (a: if a.assertion then [ ] else [ a.message ]) result.assertions;
        modulePackages = names result.boot.extraModulePackages;
        inherit (result.boot) kernelModules;
        fsPackages = names result.system.fsPackages;
        systemPackages = names result.environment.systemPackages;
        services = mapAttrs (_: s: s // { path = names s.path; }) result.systemd.services;
      };

  # The options that the module gives each mount of a type.
  mountOptions =
    fsType: bento:
    let
      module =
        import ../module.nix
          {
            modulesFor = _: { };
            programs.bentoctl = null;
          }
          {
            config.boot = { inherit bento; };
            config.boot.kernelPackages = linuxPackages "6.12.100";
            inherit lib pkgs;
          };
      mount = module.options.fileSystems.type.attrsOf.submodule { config = { inherit fsType; }; };
    in
    mount.config.options or [ ];

}
