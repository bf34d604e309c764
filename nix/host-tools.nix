# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The programs: mkfs.xv6, fsck.xv6 and their kin, and the clients of the tests.
{
  buildRust,
  sources ? import ./source.nix,
}:
{
  pname,
  crate ? pname,
  links ? [ ], # further names of the program; it acts by the name it is called by
  postInstall ? "", # what else is made, with the program itself for example
}:
let
  workspace = sources.rustWorkspace [ crate ];
in
buildRust {
  inherit pname;
  inherit (workspace)
    version
    src
    postPatch
    profile
    ;
  lockFiles = sources.rustLocks;
  args = "-p ${crate}";
  target = "x86_64-unknown-linux-gnu";
  postInstall = builtins.concatStringsSep "\n" (
    map (name: "ln -s ${pname} $out/bin/${name}") links ++ [ postInstall ]
  );
}
