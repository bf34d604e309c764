#!/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# First process of the guest that the driver boots on Debian kernels. It lives in a small
# initramfs with busybox and the few modules that reach the disks; programs come from the
# image with serial "guest", kernel modules and the product from the one called "system".
# It ends as the backdoor shell of the NixOS test driver: a root shell on /dev/hvc0.
bb=/busybox
fail() {
  echo "init: $1"
  $bb poweroff -f
}

$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
$bb mkdir -p /dev/pts /dev/shm /dev/disk/by-id
$bb mount -t devpts devpts /dev/pts
$bb ln -s /proc/self/fd /dev/fd
for dir in /dev/shm /tmp /run; do $bb mount -t tmpfs -o mode=1777 tmpfs $dir; done

# The build numbered them in the order in which they need each other.
for module in /modules/*; do
  # A kernel that has all of them built in leaves the pattern.
  [ ! -e "$module" ] || $bb insmod "$module" || fail "cannot load $module"
done

# What udev would do for disks that have a serial.
for disk in /sys/block/vd*; do
  serial=$($bb cat "$disk/serial")
  [ -z "$serial" ] || $bb ln -s "/dev/${disk##*/}" "/dev/disk/by-id/virtio-$serial"
done

$bb mkdir -p /run/system /run/bin
$bb mount -t erofs -o ro /dev/disk/by-id/virtio-guest /usr || fail "no disk 'guest'"
$bb mount -t erofs -o ro /dev/disk/by-id/virtio-system /run/system || fail "no disk 'system'"
$bb mount --bind /run/system/lib/modules /usr/lib/modules
$bb ln -s /run/system/etc/bento /etc/bento
[ ! -e /sys/fs/fuse/connections ] || $bb mount -t fusectl fusectl /sys/fs/fuse/connections
$bb mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
$bb mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null

cat > /run/bin/poweroff <<'POWEROFF'
#!/busybox sh
# Like systemd's: everything is unmounted, and only then the power goes off.
/busybox sync
for try in 1 2 3; do
  /busybox awk '$1 ~ "^/dev/" && $2 != "/usr" && $2 !~ "^/run/system" { print $2 }' /proc/mounts |
    /busybox tac | while read -r dir; do /busybox umount "$dir"; done
done
exec /busybox poweroff -f
POWEROFF
$bb chmod 755 /run/bin/poweroff

$bb hostname machine
$bb ip link set lo up
$bb sysctl -q -w kernel.printk="7 4 1 7"
export PATH=/run/bin:/run/system/bin:/usr/bin:/usr/sbin HOME=/root LC_ALL=C
cd /tmp || fail "no /tmp"
# A scenario that ends the shell by accident gets a new one; only poweroff ends init.
while :; do
  $bb setsid $bb sh -c '
    exec < /dev/hvc0 > /dev/hvc0
    stty raw -echo
    echo "Spawning backdoor root shell..."
    PS1= exec bash --norc 2> /dev/console'
done
