# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Adds the modules to every kernel's package set, and the programs to the packages.
{ crane, rust-overlay }:
final: prev:
let
  bento = import ./nixpkgs.nix {
    pkgs = final;
    inherit crane rust-overlay;
  };
in
{
  inherit (bento.programs) bentoctl xv6-tools;
  kernelPackagesExtensions = (prev.kernelPackagesExtensions or [ ]) ++ [
    (linuxFinal: _: {
      inherit (bento.modulesFor linuxFinal)
        bentofs
        bento-hello
        bento-prov
        bento-xv6
        ;
    })
  ];
}
