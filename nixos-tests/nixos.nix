# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A scenario of this folder as a NixOS test: the same script (NAME.py behind prelude.py) and the
# same machine (NAME.toml) as on a Debian kernel, but with the modules installed by the NixOS
# module.
{
  pkgs,
  linuxPackages,
  modules,
  programs,
  module,
  name,
}:
let
  machine = builtins.fromTOML (builtins.readFile (./. + "/${name}.toml"));
  disks = machine.disks or { };
in
pkgs.testers.runNixOSTest {
  inherit name;
  globalTimeout = machine.timeout;

  nodes.machine = {
    imports = [ module ];
    boot.kernelPackages = linuxPackages;
    boot.bento.enable = true;
    environment.systemPackages = [
      pkgs.git
      programs.stress
    ];
    environment.etc = {
      "bento/tree".source =
        "${linuxPackages.kernel.dev}/lib/modules/${linuxPackages.kernel.modDirVersion}/source";
      "bento/next".source =
        "${modules.bento-xv6-next}/lib/modules/${linuxPackages.kernel.modDirVersion}/updates";
    };
    virtualisation = {
      memorySize = machine.memory;
      cores = 2;
      emptyDiskImages = map (disk: {
        size = disks.${disk}; # MiB
        driveConfig.deviceExtraOpts.serial = disk;
      }) (builtins.attrNames disks);
    };
  };

  testScript = builtins.readFile ./prelude.py + builtins.readFile (./. + "/${name}.py");
}
