# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# bin/bento-vm FOLDER SCENARIO: runs a scenario outside of a Nix build. FOLDER holds the
# scenarios and the driver (a copy of nixos-tests/); disks and results stay there. With
# SCENARIO "shell" it gives a root shell of the guest.
{
  tools,
  runCommand,
  boot,
  kernel,
  guestImage,
}:
{ systemImage }:
runCommand "bento-vm" { } ''
  mkdir -p $out/bin
  ln -s ${kernel.tree} $out/tree # what the guest sees as /etc/bento/tree
  cat > $out/setup.sh <<'EOF'
  cd /build
  mkdir -p out disks
  [ "$scenario" = shell ] || scenario=$scenario.py
  exec python3 -B lib/run.py $scenario --out out --state disks \
    --kernel ${boot}/vmlinuz --initrd ${boot}/initrd \
    --guest ${guestImage}/guest.erofs --system ${systemImage}/system.erofs \
    --slowdown ${toString (kernel.slowdown or 1)}
  EOF
  cat > $out/bin/bento-vm <<EOF
  #!/bin/sh
  set -e
  [ \$# = 2 ] || { echo "usage: bento-vm FOLDER SCENARIO" >&2; exit 2; }
  export NIX_BUILD_TOP="\$1" scenario="\$2"
  export busybox=${tools.busybox} root=${tools.emulator} setup=$out/setup.sh
  exec $busybox/bin/busybox sh -e ${./enter.sh}
  EOF
  chmod 755 $out/bin/bento-vm
''
