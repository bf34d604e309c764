# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the NixOS module runs at boot and at each switch to a generation whose module differs: it
# loads the build and moves the mounts to it. Builtins alone.
#
# The build is loaded by its store path: modprobe would look into the system that was booted, and
# load the old one. Whatever fails leaves the mounts as they are, and fails the unit. A mount that
# somebody has moved to another kind of build (a recording xv6) gets the new one of that kind.
{
  fileSystem, # what mount -t calls it
  module, # the package: lib/modules/RELEASE/updates/bento_*.ko
  others ? [ ], # packages of other kinds of builds of it
  bentofs, # the package of bentofs.ko
  onSwitch, # "upgrade" or "reboot"
  bentoctl ? "bentoctl",
}:
{
  description = "Bento file system ${fileSystem}";
  script = ''
    set -eu
    running=$(uname -r)
    folder=${module}/lib/modules/$running/updates
    if [ ! -d "$folder" ]; then
      built=$(ls ${module}/lib/modules)
      echo "${fileSystem}: built for Linux $built, but $running runs: reboot to use it; mounts stay as they are"
      exit 0
    fi
    if [ ! -d /sys/module/bentofs ]; then
      modprobe bentofs 2> /dev/null || insmod "${bentofs}/lib/modules/$running/updates/bentofs.ko"
    fi
    # The kind of a build is its name without version and hash: bento_xv6, bento_xv6_prov.
    kind() { echo "''${1%_*_*_*_*}"; }
    status=0
    # move FILE: the mounts of its kind.
    move() {
      build=$(basename "$1" .ko)
      for mount in /sys/fs/bentofs/*/build; do
        [ -e "$mount" ] || continue
        old=$(cat "$mount")
        [ "$old" != "$build" ] && [ "$(kind "$old")" = "$(kind "$build")" ] || continue
        id=$(basename "$(dirname "$mount")")
        ${
          if onSwitch == "upgrade" then
            ''${bentoctl} upgrade --mount "$id" "$1" || status=1''
          else
            ''stays=1 && echo "${fileSystem}: $build serves from the next boot on; $id stays as it is (onSwitch = \"reboot\")"''
        }
      done
    }
    stays=0
    ${
      builtins.concatStringsSep "" (
        map (other: ''
          move ${other}/lib/modules/$running/updates/bento_*.ko
        '') others
      )
    }file=$(echo "$folder"/bento_*.ko)
    move "$file"
    [ $stays = 0 ] || exit 0
    [ $status = 0 ] || exit 1
    # What is mounted from now on gets this build, too.
    ${bentoctl} load "$file"
    basename "$file" .ko > /sys/fs/bentofs/prefer
  '';
}
