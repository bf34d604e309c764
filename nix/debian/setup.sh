# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The phases of nixpkgs' stdenv that this project uses.
cd /build
for input in $nativeBuildInputs; do PATH=$input/bin:$PATH; done
export SOURCE_DATE_EPOCH=315532800 LC_ALL=C
if [ -n "$buildCommand" ]; then
  eval "$buildCommand"
  exit
fi
if [ -n "$src" ]; then
  cp -rT "$src" source
  chmod -R u+w source
  cd source
fi
eval "$patchPhase"
echo "building $name"
eval "${buildPhase:-make -j$NIX_BUILD_CORES $makeFlags}"
echo "installing $name"
eval "$installPhase"
# nixpkgs strips too: debug info would keep kernel.dev alive and name it to whoever gets the
# module. BTF stays.
find $out -name '*.ko' -exec strip --strip-debug {} +
