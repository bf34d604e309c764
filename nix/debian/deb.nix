# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Packages for dpkg: the programs, and the modules for one stock kernel each, under that kernel's
# release (bento-modules-6.1.0-50-amd64), so that modules for several kernels can be installed
# side by side. Nothing is compiled where they are installed.
{ tools }:
let
  inherit (builtins) concatStringsSep attrValues mapAttrs;

  field = name: text: "${name}: ${text}\n";

  # tree: a shell command that makes the contents below $root.
  package =
    {
      name,
      version,
      depends,
      description, # one line, then lines that begin with a space
      tree,
      scripts ? { }, # postinst, prerm, postrm
      fields ? { },
      inputs ? { },
    }:
    tools.runCommand "${name}_${version}.deb"
      (
        inputs
        // {
          control = concatStringsSep "" (
            attrValues (
              mapAttrs field (
                {
                  Package = name;
                  Version = version;
                  Architecture = "amd64";
                  Maintainer = "The Bento authors <bento@localhost>";
                  Section = "kernel";
                  Priority = "optional";
                  Depends = depends;
                }
                // fields
              )
            )
          );
          inherit description;
        }
      )
      ''
        root=$PWD/root
        mkdir -p $root/DEBIAN
        ${tree}
        ${concatStringsSep "" (
          attrValues (mapAttrs (script: file: "install -m755 ${file} $root/DEBIAN/${script}\n") scripts)
        )}
        size=$(du -sk --apparent-size --exclude=DEBIAN $root | cut -f1)
        printf '%sInstalled-Size: %s\nDescription: %s\n' "$control" "$size" "$description" \
          > $root/DEBIAN/control
        (cd $root; find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum > DEBIAN/md5sums)
        chmod -R u+w,go-w $root
        mkdir -p $out
        dpkg-deb --root-owner-group -Zxz --build $root $out/${name}_${version}_amd64.deb
      '';
in
{
  # programs: packages with bin and share; mounters and checkers go where mount(8) and fsck(8) look.
  programs =
    { version, programs }:
    package {
      name = "bento-tools";
      inherit version;
      depends = "libc6 (>= 2.36), libgcc-s1";
      fields.Suggests = "fuse3";
      description = "tools of the Bento file systems\n bentoctl, which upgrades mounts and shows their state; mkfs, fsck and the FUSE mount\n helper of xv6; with manual pages and completions.";
      inputs = { inherit programs; };
      tree = ''
        mkdir -p $root/usr/bin $root/usr/sbin $root/usr/share
        for program in $programs; do
          cp -r $program/share/. $root/usr/share
          chmod -R u+w $root
          for file in $program/bin/*; do
            name=$(basename $file)
            case $name in
              *.*) ln -s ../bin/$(basename $(readlink -f $file)) $root/usr/sbin/$name ;;
              *) install -m755 $file $root/usr/bin/$name ;;
            esac
          done
        done
        find $root/usr/share/man -type f -exec gzip -9n {} +
      '';
    };

  # modules: packages with lib/modules/RELEASE/updates.
  modules =
    {
      version,
      release,
      modules,
    }:
    package {
      name = "bento-modules-${release}";
      inherit version;
      depends = "kmod, linux-image-${release} | linux-image-${release}-unsigned";
      fields.Recommends = "bento-tools";
      scripts = {
        postinst = ./package/modules.postinst;
        prerm = ./package/modules.prerm;
        postrm = ./package/modules.postrm;
      };
      description = "Bento file systems for Linux ${release}\n bentofs.ko and the file systems in safe Rust that it serves, built for this\n kernel. A newer version of this package replaces them while they are mounted.";
      inputs = { inherit modules; };
      tree = ''
        for package in $modules; do
          install -Dm644 -t $root/usr/lib/modules/${release}/updates/bento \
            $package/lib/modules/${release}/updates/*.ko
        done
      '';
    };
}
