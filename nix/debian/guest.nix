# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The guest's programs as one read-only image, the same for all kernels. Not compressed: an
# emulated processor unpacks slower than the disk reads.
{ tools, runVm }:
runVm "guest-image" { inherit (tools) guest; } ''
  mkdir -p tree $out
  cp -a $guest/usr/. tree
  chmod -R u+w tree
  rm -rf tree/include tree/share/perl tree/share/bash-completion tree/share/zoneinfo
  mkdir -p tree/lib/modules # where the system image's modules are mounted
  mkfs.erofs --quiet -T0 --all-root -U 00000000-0000-0000-0000-000000000001 $out/guest.erofs tree

  # What lies outside of /usr, for the initramfs.
  cp -r $guest/etc $out/etc
  chmod -R u+w $out/etc
  printf '%s\n' root:x:0:0:root:/root:/bin/bash alice:x:1000:100::/tmp:/bin/bash \
    nobody:x:65534:65534::/nonexistent:/bin/false > $out/etc/passwd
  printf '%s\n' root:x:0: users:x:100: nogroup:x:65534: > $out/etc/group
  echo machine > $out/etc/hostname
  ln -sf /proc/self/mounts $out/etc/mtab
  : > $out/etc/fstab
''
