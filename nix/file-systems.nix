# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The file systems that the NixOS module knows: what `mount -t` calls them -> which package of
# nix/packages.nix holds the module, which other builds of it a mount may be moved to by hand (they
# are installed beside it), and which programs make and check them. Builtins alone.
{
  xv6 = {
    module = "bento-xv6";
    others = [ "bento-prov" ];
    programs = [ "xv6-tools" ];
  };
  hello = {
    module = "bento-hello";
    others = [ ];
    programs = [ ];
  };
}
