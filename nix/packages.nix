# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# All packages for one kernel. Both scopes call this: nix/debian/default.nix and, with
# nixpkgs' names, flake.nix.
{ callPackage }:
let
  sources = import ./source.nix;
  staticlib = callPackage ./staticlib.nix { inherit sources; };
  bentofs = callPackage ./bentofs.nix { inherit sources; };
  fsModule = callPackage ./fs-module.nix { inherit sources bentofs staticlib; };
  hostTool = callPackage ./host-tools.nix { inherit sources; };
  crateProgram = callPackage ./crate-program.nix { };
in
{
  perKernel = {
    inherit bentofs;
    bento-xv6 = fsModule { fs = "xv6"; };
    # What an upgrade goes to: the same sources under the next version's name.
    bento-xv6-next = fsModule {
      fs = "xv6";
      version = "0.1.1";
      preferred = false;
    };
    bento-hello = fsModule { fs = "hello"; };
  };
  programs = {
    xv6-tools = hostTool {
      pname = "xv6-tools";
      links = [
        "mkfs.xv6"
        "fsck.xv6"
        "dump.xv6"
        "mount.fuse.xv6"
      ];
      postInstall = "$out/bin/xv6-tools man $out/share/man";
    };
    bentoctl = hostTool {
      pname = "bentoctl";
      postInstall = "$out/bin/bentoctl share $out/share";
    };
    stress = hostTool { pname = "stress"; };
    fsx = crateProgram { crate = "fsx"; };
    pjdfstest = crateProgram { crate = "pjdfstest"; };
  };
  # What checks this repository itself.
  checkers = {
    nixfmt = crateProgram {
      crate = "nixfmt_rs";
      bin = "nixfmt";
    };
    bindgen = crateProgram {
      crate = "bindgen-cli";
      bin = "bindgen";
      pins = ./bindgen;
    };
  };
}
