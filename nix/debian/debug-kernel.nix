# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A small kernel with checkers that find what a stock kernel does not notice, from Debian's
# source package; debug-kernel.config says which. It has the shape of a stock kernel of
# default.nix. Building it takes half an hour of two processors: only the long tests want it.
{ runCommand, tools }:
{
  series,
  version,
  modDirVersion,
  source, # Debian's package linux-source-X.Y
}:
let
  built =
    runCommand "linux-${modDirVersion}"
      {
        inherit source modDirVersion;
        config = ./debug-kernel.config;
      }
      ''
        mkdir linux
        ar p $source data.tar.xz | tar xJO --wildcards '*/linux-source-*.tar.xz' |
          tar xJ -C linux --strip-components=1
        cd linux
        # What watches each access to memory costs time: only where our objects are in use.
        find drivers net -name Makefile -exec sed -i '1i KASAN_SANITIZE := n' {} +
        export KBUILD_BUILD_TIMESTAMP=@1 KBUILD_BUILD_USER=bento KBUILD_BUILD_HOST=bento
        make -s KCONFIG_ALLCONFIG=$config allnoconfig
        # An option whose name or dependencies have changed must not be lost in silence.
        grep '^CONFIG_' $config | while read -r line; do
          grep -qxF "$line" .config || { echo "debug-kernel.config: $line does not hold"; exit 1; }
        done
        make -s -j$NIX_BUILD_CORES LOCALVERSION=-bento-debug bzImage modules
        test "$(cat include/config/kernel.release)" = $modDirVersion

        modules=$out/usr/lib/modules/$modDirVersion
        mkdir -p $out/boot $modules/kernel
        cp arch/x86/boot/bzImage $out/boot/vmlinuz-$modDirVersion
        cp modules.builtin modules.builtin.modinfo $modules
        touch $modules/modules.order

        # What building a module needs of the tree.
        build=$out/lib/modules/$modDirVersion/build
        mkdir -p $build
        {
          find . -name 'Makefile*' -o -name 'Kconfig*'
          find include arch/x86/include -type f
          find scripts tools/objtool -type f ! -name '*.o' ! -name '.*.cmd'
          echo .config Module.symvers arch/x86/kernel/asm-offsets.s | tr ' ' '\n'
        } | sort -u | cpio -pdm --quiet $build
      '';
in
{
  inherit series version modDirVersion;
  inherit (tools.kernel) tree;
  packages = [ ];
  moduleBuildDependencies = [ ];
  image = built;
  dev = built;
  # What its checkers cost: each limit of time is multiplied by this.
  slowdown = 5;
}
