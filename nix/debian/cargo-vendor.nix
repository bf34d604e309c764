# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# All registry crates of some Cargo.locks in one folder, with the configuration that makes
# cargo take them from there. Names and layout are those of nixpkgs' importCargoLock.
{ runCommand, fetchCrate }:
{ lockFiles }:
let
  packages = file: (builtins.fromTOML (builtins.readFile file)).package;
  locked = builtins.filter (p: p ? checksum) (builtins.concatMap packages lockFiles);
  # std's lock and ours may name the same crate.
  unique = builtins.attrValues (
    builtins.listToAttrs (
      map (p: {
        name = "${p.name}-${p.version}";
        value = p;
      }) locked
    )
  );
  unpack = p: ''
    tar xzf ${fetchCrate p} -C $out --no-same-owner
    printf '{"files":{},"package":"%s"}' ${p.checksum} > $out/${p.name}-${p.version}/.cargo-checksum.json
  '';
in
runCommand "cargo-vendor-dir" { } ''
  mkdir -p $out/.cargo
  ${builtins.concatStringsSep "" (map unpack unique)}
  cat > $out/.cargo/config.toml <<EOF
  [source.crates-io]
  replace-with = "vendored-sources"
  [source.vendored-sources]
  directory = "$out"
  EOF
''
