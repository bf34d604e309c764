# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# buildRust of the nixpkgs scope, on crane; the arguments are explained in
# nix/debian/build-rust.nix, which offers the same on plain cargo.
{ lib, craneLib }:
{
  pname,
  version,
  src,
  lockFiles,
  args,
  target,
  targetFile ? null,
  rustflags ? "",
  profile ? { }, # taken from the workspace itself
  env ? { },
  postPatch ? "",
  postInstall ? "",
  passthru ? { },
}:
craneLib.buildPackage {
  inherit
    pname
    version
    src
    postPatch
    postInstall
    passthru
    ;
  strictDeps = true;
  doCheck = false;
  # A kernel object must keep its sections; the module that it is linked into is stripped.
  dontStrip = targetFile != null;
  # One derivation: the dependencies of a kernel target are core and alloc themselves.
  cargoArtifacts = null;
  cargoVendorDir = craneLib.vendorMultipleCargoDeps { cargoLockList = lockFiles; };
  # -Zbuild-std on the stable toolchain, as the kernel's own build does
  env = env // {
    RUSTC_BOOTSTRAP = "1";
  };
  # Not --locked: postPatch strikes members from the workspace, so cargo drops their entries.
  cargoExtraArgs = lib.concatStringsSep " " (
    [
      "--offline"
      args
    ]
    ++ (
      if targetFile == null then
        [ "--target ${target}" ]
      else
        [ "-Zbuild-std=core,alloc -Zjson-target-spec --target ${targetFile}" ]
    )
  );
  preBuild = ''
    vendor=$cargoVendorDir
    ${lib.optionalString (rustflags != "") ''
      RUSTFLAGS="$(${rustflags})"
      export RUSTFLAGS
    ''}
  '';
}
