# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Every package and every check, for every kernel that lock/ holds. What depends on a kernel
# is called NAME-linux_6_12; without a kernel's name it is made for the default one.
{
  default ? "6.12",
}:
let
  merge = builtins.foldl' (all: set: all // set) { };
  mapNames =
    rename: set:
    builtins.listToAttrs (
      map (name: {
        name = rename name;
        value = set.${name};
      }) (builtins.attrNames set)
    );

  notKernels = [
    "plots.json"
    "rust.json"
  ];
  locks = builtins.filter (file: !builtins.elem file notKernels) (
    builtins.attrNames (builtins.readDir ./lock)
  );
  suite = file: builtins.head (builtins.match "(.*)\\.json" file);
  all = map (file: import ./. { suite = suite file; }) locks;
  # A rolling suite may hold no kernel of its series any more; then its lock says so.
  available = builtins.filter (scope: scope.available) all;
  # The debug kernel has modules and machines of its own, but nothing that gates.
  scopes = builtins.filter (scope: scope.series != "debug") available;
  label = scope: "linux_${builtins.replaceStrings [ "." ] [ "_" ] scope.series}";
  byLabel = builtins.listToAttrs (
    map (scope: {
      name = label scope;
      value = scope;
    }) available
  );

  packagesOf = scope: import ../packages.nix { inherit (scope) callPackage; };

  # Packages for dpkg: of this release, and the modules of the next one for the test of upgrades.
  deb = import ./deb.nix { inherit (builtins.head scopes) tools; };
  debTools = deb.programs {
    version = programs.xv6-tools.version;
    programs = [
      programs.bentoctl
      programs.xv6-tools
    ];
  };
  debModules =
    scope: fileSystem:
    deb.modules {
      version = fileSystem.release;
      release = scope.kernel.modDirVersion;
      modules = [
        (packagesOf scope).perKernel.bentofs
        (packagesOf scope).perKernel.bento-prov
        fileSystem
      ];
    };
  debsOf = scope: {
    tools = debTools;
    modules = debModules scope (packagesOf scope).perKernel.bento-xv6;
    next = debModules scope (packagesOf scope).nextRelease.bento-xv6;
  };
  inherit (packagesOf (builtins.head scopes).tools) programs checkers;

  testsOf =
    scope:
    import ../tests.nix {
      inherit scope programs;
      modules = (packagesOf scope).perKernel;
      debs = debsOf scope;
    };

  reproOf =
    scope:
    scope.callPackage ./repro.nix { } {
      fileSystems = builtins.attrValues (
        removeAttrs (packagesOf scope).perKernel [
          "bentofs"
          "bento-xv6-next" # bento-xv6 by another name
        ]
      );
    };

  withEach = f: of: merge (map (scope: mapNames (name: "${name}-${label scope}") (f scope)) of);
  withKernel = f: withEach f scopes;
  ofDefault = f: merge (map f (builtins.filter (scope: scope.series == default) scopes));
in
{
  scopes = byLabel;
  packages =
    programs
    // checkers
    // {
      deb = (builtins.head scopes).tools.runCommand "bento-debs" {
        debs = [ debTools ] ++ map (scope: (debsOf scope).modules) scopes;
      } "mkdir -p $out; for deb in $debs; do cp $deb/*.deb $out; done";
      plots = (builtins.head scopes).tools.callPackage ./plots.nix {
        root = (import ./. { suite = "plots"; }).plots;
      };
    }
    // ofDefault (scope: (packagesOf scope).perKernel)
    // withEach (scope: (packagesOf scope).perKernel // (testsOf scope).vms) available;
  repro = builtins.mapAttrs (_: reproOf) byLabel;
  longChecks = withEach (scope: (testsOf scope).long) available;
  checks = withKernel (scope: (testsOf scope).checks) // {
    bindings = (builtins.head scopes).tools.callPackage ../bindings.nix {
      inherit (checkers) bindgen;
    };
  };
}
