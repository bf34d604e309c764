# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What a guest of one kernel boots from, whatever it is to run: the kernel, an initramfs with
# the modules that reach the disks, and the tree of the modules that tests may want.
{
  tools,
  runVm,
  kernel,
  guestImage,
}:
runVm "boot-${kernel.modDirVersion}"
  {
    inherit (tools) busybox;
    inherit (kernel) image modDirVersion;
    inherit guestImage;
    init = ../../nixos-tests/lib/init.sh;
  }
  ''
    all=$image/usr/lib/modules/$modDirVersion
    tree=$out/lib/modules/$modDirVersion
    mkdir -p $tree
    for part in arch crypto drivers/block drivers/char drivers/md drivers/scsi drivers/virtio fs lib mm net/9p net/dns_resolver net/sunrpc; do
      [ ! -e $all/kernel/$part ] || { mkdir -p $tree/kernel/$part; cp -r $all/kernel/$part/. $tree/kernel/$part; }
    done
    chmod -R u+w $tree
    cp $all/modules.builtin $all/modules.order $tree
    depmod -b $out $modDirVersion

    mkdir -p i/modules i/proc i/sys i/dev i/run i/tmp i/root i/mnt i/usr i/var/tmp
    number=100
    # modprobe names each module after the ones that it needs.
    for module in virtio_pci virtio_blk virtio_console virtio_rng erofs crc32c_generic crc32c-intel; do
      modprobe -d $out -S $modDirVersion --show-depends $module > needs 2>/dev/null || continue
      while read -r verb file _; do
        [ "$verb" = insmod ] || continue
        name=$(basename $file .xz)
        ls i/modules/*-$name > /dev/null 2>&1 && continue
        case $file in *.xz) xz -dc $file ;; *) cat $file ;; esac > i/modules/$number-$name
        number=$((number + 1))
      done < needs
    done
    echo "modules of the initramfs:" $(ls i/modules)

    cp $busybox/bin/busybox i/busybox
    cp $init i/init
    chmod 755 i/init
    cp -r $guestImage/etc i/etc
    for d in bin sbin lib lib64; do ln -s usr/$d i/$d; done
    find i -exec touch -hd @1 {} +
    (cd i; find . | sort | cpio -o -H newc --reproducible -R 0:0 --quiet) > $out/initrd
    cp -L $image/boot/vmlinuz-$modDirVersion $out/vmlinuz
  ''
