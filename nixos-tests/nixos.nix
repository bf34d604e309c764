# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A scenario as a NixOS test: the same script (NAME.py behind prelude.py) and the same machine
# (NAME.toml) as on a Debian kernel, but with the modules installed by the NixOS module. The
# scenarios in nixos/ are about that module, and run here only.
{
  pkgs,
  linuxPackages,
  modules,
  programs,
  module,
  name,
}:
let
  matrix = import ./matrix.nix;
  folder = if builtins.elem name matrix.own then ./nixos else ./.;
  machine = builtins.fromTOML (builtins.readFile (folder + "/${name}.toml"));
  disks = machine.disks or { };
  # What nixos.* of a NAME.toml asks for.
  settings = machine.nixos or { };
  release = linuxPackages.kernel.modDirVersion;
in
pkgs.testers.runNixOSTest {
  inherit name;
  globalTimeout = machine.timeout;

  nodes.machine =
    { lib, ... }:
    {
      imports = [ module ];
      boot.kernelPackages = linuxPackages;
      # modprobe takes the parameters of modules from here.
      boot.kernelParams = [ "bentofs.inject=1" ] ++ machine.kernel_params or [ ];
      boot.bento.enable = true;
      boot.bento.fileSystems.hello.enable = true;
      environment.systemPackages = [
        pkgs.git
        programs.fsx
        programs.pjdfstest
        programs.stress
      ];
      environment.etc = {
        "bento/tree".source = "${linuxPackages.kernel.dev}/lib/modules/${release}/source";
        "bento/prov".source = "${modules.bento-prov}/lib/modules/${release}/updates";
        "bento/next".source = "${modules.bento-xv6-next}/lib/modules/${release}/updates";
        "bento/fsstress".source = "${pkgs.xfstests}/lib/xfstests/ltp/fsstress";
      };
      virtualisation = {
        memorySize = machine.memory;
        cores = machine.cores or 2;
        emptyDiskImages = map (disk: {
          size = disks.${disk}; # MiB
          driveConfig.deviceExtraOpts.serial = disk;
        }) (builtins.attrNames disks);
        # (Not fileSystems: the test machine replaces those.)
        fileSystems = lib.mkIf (settings ? mount) {
          ${settings.mount} = {
            device = "/dev/disk/by-id/virtio-bento";
            fsType = "xv6";
            options = [ "nofail" ];
          };
        };
      };
      # Another generation, whose module is the next build.
      specialisation = lib.mkIf (settings.specialisation or false) {
        next.configuration.boot.bento.fileSystems.xv6.package = modules.bento-xv6-next;
      };
    };

  testScript = builtins.readFile ./prelude.py + builtins.readFile (folder + "/${name}.py");
}
