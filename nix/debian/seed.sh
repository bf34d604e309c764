# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Takes bin/busybox, and nothing else, out of its Debian package.
PATH=/usr/bin:/bin
set -e
mkdir -p "$out/bin"
dpkg-deb --fsys-tarfile "$deb" | tar x -C "$out" --wildcards '*/bin/busybox'
[ -e "$out/bin/busybox" ] || mv "$out/usr/bin/busybox" "$out/bin/busybox"
rm -rf "$out/usr"
chmod 755 "$out/bin/busybox"
