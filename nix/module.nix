# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The NixOS module: `fileSystems."/data".fsType = "xv6"` is enough. The modules are built for
# the kernel of the configuration, whatever it is, and loaded at boot; `mount` loads a file system
# by its alias fs-NAME. `nixos-rebuild switch` to a changed module upgrades what is mounted.
{
  modulesFor, # linuxPackages -> { bentofs, bento-xv6, ... }
  programs, # { xv6-tools, bentoctl, ... }
}:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  kernels = import ./kernels.nix;
  known = import ./file-systems.nix;
  unit = import ./unit.nix;

  cfg = config.boot.bento;
  inherit (config.boot) kernelPackages;
  modules = modulesFor kernelPackages;

  names = builtins.attrNames known;
  # Enabled by its own option, or because something is mounted with it.
  isWanted =
    name:
    (cfg.fileSystems.${name}.enable or false)
    || (config.boot.supportedFilesystems.${name} or false)
    || (cfg.enable && name == "xv6");
  wanted = builtins.filter isWanted names;
  packageOf =
    name:
    let
      chosen = cfg.fileSystems.${name}.package or null;
    in
    if chosen == null then modules.${known.${name}.module} else chosen;
  othersOf = name: map (other: modules.${other}) known.${name}.others;
  unknown = builtins.filter (name: !(known ? ${name})) (builtins.attrNames cfg.fileSystems);

  service =
    name:
    let
      inherit
        (unit {
          inherit (cfg) onSwitch;
          inherit (modules) bentofs;
          fileSystem = name;
          module = packageOf name;
          others = othersOf name;
          bentoctl = "${cfg.package}/bin/bentoctl";
        })
        description
        script
        ;
    in
    {
      inherit description script;
      wantedBy = [ "local-fs-pre.target" ];
      before = [ "local-fs-pre.target" ];
      after = [ "systemd-modules-load.service" ];
      unitConfig.DefaultDependencies = false;
      # A changed script, which names the module by its store path, restarts the unit: that runs
      # it again. Nothing stops before, and no mount depends on the unit.
      stopIfChanged = false;
      path = [ pkgs.kmod ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
    };
in
{
  options.boot.bento = {
    enable = lib.mkEnableOption "xv6 of Bento, even where nothing in {option}`fileSystems` is of its type";

    package = mkOption {
      type = types.package;
      default = programs.bentoctl;
      defaultText = lib.literalExpression "bentoctl of Bento's flake";
      description = "The program that loads builds and upgrades mounts.";
    };

    onSwitch = mkOption {
      type = types.enum [
        "upgrade"
        "reboot"
      ];
      default = "upgrade";
      description = ''
        What a switch to a generation with a changed module does with mounted file systems:
        `upgrade` replaces the module while they are in use (a failing upgrade leaves them as they
        are and fails the unit `bento-NAME.service`); `reboot` leaves them until the next boot.
      '';
    };

    fileSystems = mkOption {
      default = { };
      example = lib.literalExpression ''{ xv6.mountOptions = [ "noatime" ]; }'';
      description = "Settings of each file system (${builtins.concatStringsSep ", " names}).";
      type = types.attrsOf (
        types.submodule {
          options = {
            enable = lib.mkEnableOption "this file system, even where nothing in {option}`fileSystems` is of its type";
            package = mkOption {
              type = types.nullOr types.package;
              default = null;
              defaultText = lib.literalExpression "the one of Bento's flake, for boot.kernelPackages";
              description = "The package of its kernel module, built for {option}`boot.kernelPackages`.";
            };
            mountOptions = mkOption {
              type = types.listOf types.str;
              default = [ ];
              description = "Added to the options of each mount of this type in {option}`fileSystems`.";
            };
          };
        }
      );
    };
  };

  # Declared a second time, so that each mount gets the options of its type.
  options.fileSystems = mkOption {
    type = types.attrsOf (
      types.submodule (
        { config, ... }:
        let
          extra =
            if known ? ${toString config.fsType} then
              cfg.fileSystems.${config.fsType}.mountOptions or [ ]
            else
              [ ];
        in
        {
          config = lib.mkIf (extra != [ ]) { options = extra; };
        }
      )
    );
  };

  config = lib.mkIf (wanted != [ ] || unknown != [ ]) {
    assertions = [
      {
        assertion = unknown == [ ];
        message = "boot.bento.fileSystems: Bento has no file system ${builtins.concatStringsSep ", " unknown}; it has ${builtins.concatStringsSep ", " names}.";
      }
      {
        assertion = kernelPackages.kernel.kernelAtLeast kernels.oldest;
        message = "Bento needs Linux ${kernels.oldest} or newer, and boot.kernelPackages is ${kernelPackages.kernel.version}; with nixpkgs' kernels: boot.kernelPackages = pkgs.${kernels.sets.linux_6_12}.";
      }
      {
        assertion = !(config.security.lockKernelModules or false);
        message = "Bento loads modules after boot (live upgrades are modules), which security.lockKernelModules forbids.";
      }
    ];

    boot.extraModulePackages = [
      modules.bentofs
    ]
    ++ builtins.concatMap (name: [ (packageOf name) ] ++ othersOf name) wanted;
    boot.kernelModules = [ "bentofs" ] ++ map (name: "bento_${name}") wanted;
    system.fsPackages = builtins.concatMap (
      name: map (program: programs.${program}) known.${name}.programs
    ) wanted;
    environment.systemPackages = [ cfg.package ];
    systemd.services = builtins.listToAttrs (
      map (name: {
        name = "bento-${name}";
        value = service name;
      }) wanted
    );
  };
}
