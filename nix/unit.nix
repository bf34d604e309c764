# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the NixOS module runs at boot and at each switch to a generation whose module differs: it
# loads the build and moves the mounts to it. Builtins alone.
#
# The build is loaded by its store path: modprobe would look into the system that was booted, and
# load the old one. Whatever fails leaves the mounts as they are, and fails the unit.
{
  fileSystem, # what mount -t calls it
  module, # the package: lib/modules/RELEASE/updates/bento_*.ko
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
    file=$(echo "$folder"/bento_*.ko)
    build=$(basename "$file" .ko)
    others=0
    for mount in /sys/fs/bentofs/*/build; do
      [ -e "$mount" ] || continue
      [ "$(cat "$(dirname "$mount")/fs")" = ${fileSystem} ] || continue
      [ "$(cat "$mount")" = "$build" ] || others=$((others + 1))
    done
    ${
      if onSwitch == "upgrade" then
        ""
      else
        ''
          if [ $others != 0 ]; then
            echo "${fileSystem}: $build serves from the next boot on; $others mounts stay as they are (onSwitch = \"reboot\")"
            exit 0
          fi
        ''
    }${bentoctl} load "$file"
    [ $others = 0 ] || ${bentoctl} upgrade --keep-going "$file"
  '';
}
