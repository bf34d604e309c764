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
in
{
  vm = scope.callPackage ./debian/vm.nix { } { inherit systemImage; };
  checks = builtins.listToAttrs (
    map (name: {
      inherit name;
      value = vmTest { inherit name; };
    }) names
  );
}
