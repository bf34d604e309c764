# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Runs $setup in a chroot of $root; started by busybox. A user namespace gives the right to
# mount and chroot; it is allowed inside Nix's sandbox and out of it.
#
# The build's folder is always /build there, so that outputs do not depend on whether Nix
# uses a sandbox.
bb=$busybox/bin/busybox
if [ -z "$inside" ]; then inside=1 exec $bb unshare -U -r -m $bb sh -e $0; fi
top=$NIX_BUILD_TOP r=$NIX_BUILD_TOP/.root
m() { $bb mkdir -p $r$2; $bb mount -o $3 $1 $r$2; }
$bb mkdir -p $r
$bb mount -t tmpfs root $r
m $root/usr /usr bind
m /nix/store /nix/store rbind
m /proc /proc rbind
m /dev /dev rbind
m $top /build bind
for d in bin sbin lib lib64; do $bb ln -s usr/$d $r/$d; done
$bb mkdir -p $r/etc $r/tmp $r/var/tmp $r/run $r/root
$bb cp -r $root/etc/. $r/etc
echo root:x:0:0:root:/build:/bin/sh > $r/etc/passwd
echo root:x:0: > $r/etc/group
$bb chmod 1777 $r/tmp
export NIX_BUILD_TOP=/build HOME=/homeless-shelter PATH=/usr/bin:/usr/sbin
export TMPDIR=/tmp TMP=/tmp TEMP=/tmp TEMPDIR=/tmp
cd $r
exec $bb chroot $r /usr/bin/bash -e $setup
