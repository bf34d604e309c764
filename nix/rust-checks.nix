# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What ./dev check does on a host, by crane: format, lints, tests, documentation; and the copy of
# std's lock against the toolchain's own.
{
  pkgs,
  craneLib,
  toolchain,
  rustSource,
}:
let
  common = {
    pname = "bento";
    version = (builtins.fromTOML (builtins.readFile ../rust/Cargo.toml)).workspace.package.version;
    src = rustSource;
    strictDeps = true;
  };
  cargoArtifacts = craneLib.buildDepsOnly common;
  withArtifacts = common // {
    inherit cargoArtifacts;
  };
in
{
  rustfmt = craneLib.cargoFmt common;
  clippy = craneLib.cargoClippy (
    withArtifacts // { cargoClippyExtraArgs = "--workspace --all-targets -- --deny warnings"; }
  );
  nextest = craneLib.cargoNextest withArtifacts;
  doc = craneLib.cargoDoc (withArtifacts // { env.RUSTDOCFLAGS = "--deny warnings"; });
  # -Zbuild-std builds from this lock: it has to be the one that the toolchain has.
  std-lock = pkgs.runCommand "bento-std-lock" { } ''
    diff ${toolchain}/lib/rustlib/src/rust/library/Cargo.lock ${./rust-std.Cargo.lock}
    touch $out
  '';
  nixfmt = pkgs.runCommand "bento-nixfmt" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
    find ${
      builtins.path {
        name = "bento-nix";
        path = ../.;
        filter =
          path: type:
          (
            type == "directory"
            && !(builtins.elem (baseNameOf path) [
              ".git"
              "target"
              ".vm"
            ])
          )
          || builtins.match ".*\\.nix" path != null;
      }
    } -name '*.nix' -print0 | xargs -0 nixfmt --check
    touch $out
  '';
}
