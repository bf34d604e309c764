# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# One scenario of nixos-tests/ on one Debian kernel. The output holds result.json and
# console.log; a scenario that fails fails the build.
{
  runVm,
  systemImage,
  boot,
  guestImage,
  kernel,
}:
{
  name,
  long ? false, # the long version
}:
let
  slowdown = if kernel ? slowdown then " --slowdown ${toString kernel.slowdown}" else "";
in
runVm "vm-${name}-${if long then "long-" else ""}${kernel.series}"
  {
    inherit boot systemImage guestImage;
    flags = (if long then "--long" else "") + slowdown;
    driver = builtins.path {
      name = "vm-driver";
      path = ../nixos-tests/lib;
      # What sums up results, and tests, are no part of a run.
      filter =
        path: _:
        !(builtins.elem (baseNameOf path) [
          "init.sh"
          "results.py"
          "__pycache__"
        ])
        && builtins.match "test_.*" (baseNameOf path) == null;
    };
    scenario = builtins.path {
      name = "scenario-${name}";
      path = ../nixos-tests;
      # With the folder of its data, where it has one.
      filter =
        path: _:
        builtins.elem (baseNameOf path) [
          "prelude.py"
          "${name}.py"
          "${name}.toml"
        ]
        || builtins.match ".*/nixos-tests/${name}(/results(/.*)?)?" path != null;
    };
  }
  ''
    python3 -B $driver/run.py $scenario/${name}.py --out $out $flags \
      --kernel $boot/vmlinuz --initrd $boot/initrd \
      --guest $guestImage/guest.erofs --system $systemImage/system.erofs
  ''
