# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Which scenario runs as a NixOS test on which kernel (labels of nix/kernels.nix). Builtins alone.
let
  # Scripts of this folder, the same as on Debian's kernels.
  shared = [
    "failing-import"
    "fuse"
    "hello"
    "live-upgrade"
    "panic-repair"
    "pjdfstest"
    "power-cut"
    "tree-git"
  ];
  # Scripts of nixos/: what only NixOS has.
  own = [
    "boot"
    "fsstress"
    "switch"
  ];
  # On these kernels everything, on the others what tells kernels apart.
  full = [
    "linux_6_1"
    "linux_6_12"
    "linux_latest"
  ];
  everywhere = [
    "boot"
    "fsstress"
    "live-upgrade"
    "panic-repair"
  ];
in
{
  inherit shared own;
  of = label: if builtins.elem label full then shared ++ own else everywhere;
}
