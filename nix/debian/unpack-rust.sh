# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The Rust tarballs' components, merged: what their install.sh would copy.
# (In the root, as busybox's xz has too small a dictionary for them.)
mkdir -p $out /build/t && cd /build/t
for t in $tarballs; do
  tar xJf $t --no-same-owner
  for c in $(cat */components); do
    rm */$c/manifest.in
    cp -a --no-preserve=ownership */$c/. $out
  done
  rm -rf ./*
done
rm -rf $out/share
