# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The options of the NixOS module as a page, from the module itself.
{ pkgs, module }:
let
  evaluated = pkgs.lib.evalModules {
    modules = [
      { _module.check = false; }
      module
    ];
    specialArgs = { inherit pkgs; };
  };
  docs = pkgs.nixosOptionsDoc { options = { inherit (evaluated.options.boot) bento; }; };
in
pkgs.runCommand "bento-option-docs" { } ''
  mkdir -p $out
  cp ${docs.optionsCommonMark} $out/options.md
''
