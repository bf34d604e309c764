# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Debian's kernel headers, laid out as nixpkgs' kernel.dev: lib/modules/VERSION/build.
$busybox/bin/busybox mkdir .b
$busybox/bin/busybox --install -s .b
PATH=$PWD/.b
mkdir -p $out && cd $out
for d in $debs; do ar p $d data.tar.xz | tar xJ; done
rm -rf usr/share
grep -rl /usr/src/linux-headers usr/src/*/Makefile | xargs sed -i "s#/usr/src/linux-headers#$out&#"
mkdir -p lib/modules/$modDirVersion
for l in build source; do ln -sfn $out/usr/src/linux-headers-$modDirVersion lib/modules/$modDirVersion/$l; done
