# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The product as a guest sees it: the kernel's modules with ours among them (so that modprobe
# and autoloading work), the tools on PATH, and the files that scenarios find in /etc/bento.
{
  runVm,
  kernel,
  boot,
}:
{
  modules ? [ ], # packages with lib/modules/VERSION/updates
  programs ? [ ], # packages with bin
  files ? { }, # name below /etc/bento -> path
}:
runVm "system-image-${kernel.modDirVersion}"
  {
    inherit boot modules programs;
    inherit (kernel) modDirVersion;
  }
  ''
    mkdir -p tree/bin tree/etc/bento $out
    cp -r $boot/lib tree/lib
    chmod -R u+w tree
    for package in $modules; do cp -r $package/lib/modules/. tree/lib/modules; chmod -R u+w tree; done
    for package in $programs; do cp -a $package/bin/. tree/bin; chmod -R u+w tree; done
    ${builtins.concatStringsSep "" (
      builtins.attrValues (
        builtins.mapAttrs (name: path: ''
          mkdir -p "$(dirname tree/etc/bento/${name})"
          cp -r ${path} tree/etc/bento/${name} # as it is, links too
        '') files
      )
    )}
    depmod -b $PWD/tree $modDirVersion
    mkfs.erofs --quiet -T0 --all-root -U 00000000-0000-0000-0000-000000000002 $out/system.erofs tree
  ''
