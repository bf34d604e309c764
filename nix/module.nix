# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The NixOS module: `fileSystems."/data".fsType = "xv6"` is enough. The modules are built for
# the kernel of the configuration, whatever it is, and loaded at boot; `mount` loads the file
# system by its alias fs-xv6.
{
  modulesFor, # linuxPackages -> { bentofs, bento-xv6, ... }
  programs, # { bentoctl, xv6-tools, ... }
}:
{ config, lib, ... }:
let
  cfg = config.boot.bento;
  modules = modulesFor config.boot.kernelPackages;
  wanted = cfg.enable || (config.boot.supportedFilesystems.xv6 or false);
in
{
  options.boot.bento.enable = lib.mkEnableOption "the file systems of Bento, even where none is in {option}`fileSystems`";

  config = lib.mkIf wanted {
    assertions = [
      {
        assertion = config.boot.kernelPackages.kernel.kernelAtLeast "6.1";
        message = "Bento needs Linux 6.1 or newer; set boot.kernelPackages accordingly.";
      }
      {
        assertion = !config.security.lockKernelModules;
        message = "Bento loads modules after boot (live upgrades are modules), which security.lockKernelModules forbids.";
      }
    ];

    boot.extraModulePackages = [
      modules.bentofs
      modules.bento-xv6
    ];
    boot.kernelModules = [
      "bentofs"
      "bento_xv6"
    ];
    system.fsPackages = [ programs.xv6-tools ];
    environment.systemPackages = [ programs.bentoctl ];
  };
}
