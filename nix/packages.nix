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
  # Every crate NAME-kmod of the workspace is a file system; prov is a second one called xv6.
  fileSystems = builtins.concatMap (
    folder:
    let
      name = builtins.match "(.*)-kmod" folder;
    in
    if name == null || name == [ "prov" ] then [ ] else name
  ) (builtins.attrNames (builtins.readDir ../rust));
in
{
  perKernel = {
    inherit bentofs;
    # What an upgrade goes to: the same sources under the next version's name.
    bento-xv6-next = fsModule {
      fs = "xv6";
      version = "0.1.1";
      preferred = false;
    };
    # xv6 that records its use: what an xv6 mount is upgraded to and from.
    bento-prov = fsModule {
      fs = "xv6-prov";
      crate = "prov-kmod";
      preferred = false;
    };
  }
  // builtins.listToAttrs (
    map (fs: {
      name = "bento-${fs}";
      value = fsModule { inherit fs; };
    }) fileSystems
  );
  # The next version as a release would bring it: what tests upgrade a package to.
  nextRelease.bento-xv6 = fsModule {
    fs = "xv6";
    version = "0.1.1";
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
      postInstall = ''
        $out/bin/xv6-tools man $out/share/man
        $out/bin/xv6-tools completions $out/share
      '';
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
    deadnix = crateProgram {
      crate = "deadnix";
      pins = ./deadnix;
    };
    bindgen = crateProgram {
      crate = "bindgen-cli";
      bin = "bindgen";
      pins = ./bindgen;
    };
  };
}
