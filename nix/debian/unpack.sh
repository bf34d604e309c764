# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Unpacks $debs into $out as one FHS tree; run by busybox. No maintainer script runs: the few
# links that they would make are made here.
$busybox/bin/busybox mkdir .b
$busybox/bin/busybox --install -s .b
PATH=$PWD/.b
mkdir -p $out && cd $out
for d in bin sbin lib lib64; do mkdir -p usr/$d; ln -s usr/$d $d; done
# (busybox's own dpkg-deb fails on a package that holds one of these links as "./bin".)
for d in $debs; do ar p $d data.tar.xz | tar xJ; done
for d in bin sbin lib lib64; do [ -L $d ] || { echo "$d is no link"; exit 1; }; done
for v in usr/lib/modules/*/vmlinuz; do
  [ ! -e $v ] || { r=${v%/vmlinuz}; mkdir -p boot; ln -s ../$v boot/vmlinuz-${r##*/}; }
done
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info
cd usr/bin
link() { [ -e $1 ] || [ ! -e $2 ] || ln -s $2 $1; }
link sh dash
link awk gawk
link cc gcc
