# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The VM scenarios of nixos-tests/ for one Debian kernel, and the system that they run on.
{
  scope,
  modules,
  programs,
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
  # rolls and does not gate alone: it gets what tells the kernels apart, and the largest story.
  quick =
    {
      "7.3" = [
        "calls"
        "coherence"
        "fallocate"
        "hello"
        "live-upgrade"
        "options"
        "panic-repair"
        "pjdfstest"
        "smoke"
        "tree-git"
        "xattr"
      ];
    }
    .${scope.kernel.series} or names;
  isQuick = name: builtins.elem name quick;
  systemImage = scope.makeSystem {
    # Where modprobe looks: what a user installs.
    modules = [
      modules.bentofs
      modules.bento-xv6
      modules.bento-hello
    ];
    programs = builtins.attrValues programs;
    # What a scenario takes by path, below /etc/bento.
    files = {
      next = "${modules.bento-xv6-next}/lib/modules/${scope.kernel.modDirVersion}/updates";
      tree = scope.kernel.tree;
    };
  };
  vmTest = scope.callPackage ./vm-test.nix { inherit systemImage; };
  testsOf =
    chosen:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = vmTest { inherit name; };
      }) chosen
    );
in
{
  vm = scope.callPackage ./debian/vm.nix { } { inherit systemImage; };
  checks = testsOf (builtins.filter isQuick names);
  long = testsOf (builtins.filter (name: !isQuick name) names);
}
