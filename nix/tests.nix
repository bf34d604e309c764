# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The VM scenarios of nixos-tests/ for one Debian kernel, and the system that they run on.
{
  scope,
  modules,
  programs,
  debs, # packages for dpkg: tools, modules, and the modules of the next release
}:
let
  folder = ../nixos-tests;
  # prelude.py holds the helpers that the scenarios share; demo.py, which ./dev demo runs, repeats
  # what others test.
  scenario =
    file:
    if
      builtins.elem file [
        "prelude.py"
        "demo.py"
      ]
    then
      null
    else
      builtins.match "(.*)\\.py" file;
  names = map (file: builtins.head (scenario file)) (
    builtins.filter (file: scenario file != null) (builtins.attrNames (builtins.readDir folder))
  );
  # What ./dev test runs on a kernel, where that is not everything; the rest is for --long. 7.3
  # rolls and does not gate alone: it gets what tells the kernels apart.
  quick =
    {
      "7.3" = [
        "bentoctl"
        "calls"
        "coherence"
        "failing-import"
        "hello"
        "live-upgrade"
        "options"
        "panic-repair"
        "pjdfstest"
        "prov"
        "security"
        "slow-device"
        "smoke"
        "support"
        "upgrade-crash"
        "upgrade-in-use"
        "upgrade-leftovers"
        "upgrade-policy"
        "xattr"
      ];
    }
    .${scope.kernel.series} or (builtins.filter (name: !(isSlow name)) names);
  # Scenarios that only --long runs.
  longOnly = [
    "aio"
    "nfs"
    "panic-hundred"
    "scale"
    "upgrade-thousand"
  ];
  # And what one of the two kernels that do not move runs for both, for it hardly depends on them.
  isSlow =
    name:
    builtins.elem name longOnly
    || builtins.elem name (
      {
        "6.1" = [
          "bench"
          "errors-panic"
          "labels"
          "leaks"
          "load"
          "pause"
          "prov-trouble"
          "replay"
          "switch-unit"
          "threads"
          "tutorial"
        ];
        "6.12" = [
          "bad-input"
          "enospc"
          "fuse"
          "hostile"
          "module-cycles"
          "read-only"
        ];
      }
      .${scope.kernel.series} or [ ]
    );
  # Scenarios with a long version (LONG is true in it), which --long runs on every kernel.
  longVersions = [
    "coherence"
    "fsstress"
    "fuse"
    "hostile"
    "leaks"
    "load"
    "panic-hundred"
    "power-cut"
    "threads"
    "upgrade-thousand"
  ];
  # Measured where the accepted figures come from, and nowhere else.
  isMeasured =
    name:
    builtins.elem name [
      "bench"
      "pause"
    ];
  isDebug = scope.kernel.series == "debug";
  # What the debug kernel's checkers are to see; it gates nothing.
  debugged = [
    "coherence"
    "failing-import"
    "fallocate"
    "fsstress"
    "hostile"
    "live-upgrade"
    "load"
    "panic-repair"
    "prov"
    "smoke"
    "unlink-open"
    "upgrade-policy"
    "xattr"
  ];
  isQuick = name: builtins.elem name quick;
  # What the NixOS module's unit would run (nix/unit.nix) for a package below /etc/bento.
  unit =
    module: onSwitch:
    builtins.toFile "unit-${module}.sh"
      (import ./unit.nix {
        inherit onSwitch;
        fileSystem = "xv6";
        module = "/etc/bento/switch/module/${module}";
        others = [ "/etc/bento/switch/module/prov" ];
        bentofs = "/etc/bento/switch/module/bentofs";
      }).script;
  # What some scenarios take by path besides, in images of their own.
  extraFiles = {
    deb = {
      "deb/tools" = debs.tools;
      "deb/modules" = debs.modules;
      "deb/next" = debs.next;
      "deb/status" = scope.tools.dpkgStatus scope.kernel;
    };
    observe.perf = scope.tools.perf;
    tutorial.tutorial = scope.callPackage ./debian/tutorial.nix { };
    # The packages of two generations, and what their units run.
    switch-unit = {
      "switch/module/first" = modules.bento-xv6;
      "switch/module/next" = modules.bento-xv6-next;
      "switch/module/prov" = modules.bento-prov;
      "switch/module/bentofs" = modules.bentofs;
      "switch/module/other-kernel" =
        scope.runCommand "other-kernel" { }
          "mkdir -p $out/lib/modules/6.99.0";
      "switch/first.sh" = unit "first" "upgrade";
      "switch/next.sh" = unit "next" "upgrade";
      "switch/reboot.sh" = unit "first" "reboot";
      "switch/other-kernel.sh" = unit "other-kernel" "upgrade";
    };
  };
  systemImage =
    name:
    scope.makeSystem {
      # Where modprobe looks: what a user installs.
      modules = builtins.filter (module: module.preferred or true) (builtins.attrValues modules);
      programs = builtins.attrValues programs;
      # What every scenario takes by path, below /etc/bento.
      files = {
        prov = "${modules.bento-prov}/lib/modules/${scope.kernel.modDirVersion}/updates";
        next = "${modules.bento-xv6-next}/lib/modules/${scope.kernel.modDirVersion}/updates";
        tree = scope.kernel.tree;
      }
      // (extraFiles.${name} or { });
    };
  vmTest =
    { name, ... }@test: scope.callPackage ./vm-test.nix { systemImage = systemImage name; } test;
  vm = name: scope.callPackage ./debian/vm.nix { } { systemImage = systemImage name; };
  testsOf =
    chosen:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = vmTest { inherit name; };
      }) chosen
    );
  longOnes = builtins.listToAttrs (
    map (name: {
      name = "${name}-long";
      value = vmTest {
        inherit name;
        long = true;
      };
    }) longVersions
  );
in
{
  # vm runs any scenario by hand, but for those that have an image of their own.
  vms = {
    vm = vm "";
  }
  // builtins.listToAttrs (
    map (name: {
      name = "vm-${name}";
      value = vm name;
    }) (builtins.attrNames extraFiles)
  );
  checks =
    assert !isDebug;
    testsOf (builtins.filter isQuick names)
    // {
      module-paths = scope.callPackage ./module-paths.nix { } { modules = builtins.attrValues modules; };
    };
  long =
    if isDebug then
      testsOf debugged
    else
      testsOf (builtins.filter (name: !isQuick name && !isMeasured name) names) // longOnes;
}
