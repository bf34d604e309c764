# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Which of nixpkgs' kernels there are packages and tests for. Builtins alone, so that the names of
# all outputs can be compared with a list where nixpkgs is not at hand (nix/test_nix.py).
{
  # Older ones lack what bentofs calls.
  oldest = "6.1";

  # The long-term series, whose attributes stay in nixpkgs for years, and the newest release.
  # label -> attribute of pkgs
  sets = {
    linux_6_1 = "linuxPackages_6_1";
    linux_6_6 = "linuxPackages_6_6";
    linux_6_12 = "linuxPackages_6_12";
    linux_6_18 = "linuxPackages_6_18";
    linux_latest = "linuxPackages_latest";
  };

  # { broken, longDescription } of a module for a kernel.
  support =
    kernelOlder: version:
    let
      broken = kernelOlder "6.1";
    in
    {
      inherit broken;
      longDescription =
        if broken then
          "Bento needs Linux 6.1 or newer, and this kernel is ${version}: its page cache has no folios for writes, and iomap lacks what bentofs calls."
        else
          "Built for Linux ${version}; Bento is run on Debian's 6.1, 6.12 and 7.3.";
    };
}
