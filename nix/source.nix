# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The parts of the tree that each package is built from, so that a change elsewhere rebuilds
# nothing. A source's store path depends on its contents alone.
let
  rust = ../rust;
  read = file: builtins.fromTOML (builtins.readFile file);
  workspace = (read (rust + "/Cargo.toml")).workspace;

  manifest = crate: read (rust + "/${crate}/Cargo.toml");

  # Folders of the workspace's crates that a crate names as a dependency of any kind.
  neighbours =
    crate:
    let
      toml = manifest crate;
      names = builtins.attrNames (
        (toml.dependencies or { }) // (toml.dev-dependencies or { }) // (toml.build-dependencies or { })
      );
      path = name: workspace.dependencies.${name}.path or null;
    in
    builtins.filter (folder: folder != null) (map path names);

  closure =
    crates:
    map (entry: entry.key) (
      builtins.genericClosure {
        startSet = map (key: { inherit key; }) crates;
        operator = entry: map (key: { inherit key; }) (neighbours entry.key);
      }
    );

  # Tests and benchmarks are not part of a package, unless the manifest lists them: cargo
  # refuses a manifest that names a file which is not there.
  unneeded =
    crate:
    let
      toml = manifest crate;
    in
    (if toml ? test then [ ] else [ "tests" ]) ++ (if toml ? bench then [ ] else [ "benches" ]);

  relative = base: path: builtins.substring (builtins.stringLength base + 1) (-1) path;
  parts = path: builtins.filter builtins.isString (builtins.split "/" path);
in
{
  # The cargo workspace reduced to some crates and what they depend on. The members that are
  # left out have to be struck from its Cargo.toml: `postPatch` does so.
  rustWorkspace =
    crates:
    let
      members = closure crates;
      src = builtins.path {
        name = "rust-${builtins.head crates}";
        path = rust;
        filter =
          path: _:
          let
            steps = parts (relative (toString rust) path);
            crate = builtins.head steps;
          in
          if builtins.length steps == 1 then
            builtins.elem crate (
              [
                "Cargo.toml"
                "Cargo.lock"
              ]
              ++ members
            )
          else
            !(builtins.elem (builtins.elemAt steps 1) ([ "target" ] ++ unneeded crate));
      };
    in
    {
      inherit src;
      postPatch = ''
        sed -i -e '/^members = \[/,/^\]/c members = [${
          builtins.concatStringsSep ", " (map (m: ''"${m}"'') members)
        }]' -e '/^default-members = \[/,/^\]/d' Cargo.toml
      '';
      inherit (workspace.package) version;
      profile = (read (rust + "/Cargo.toml")).profile.release or { };
    };

  rustLocks = [
    ../rust/Cargo.lock
    ./rust-std.Cargo.lock
  ];

  kernelModule = builtins.path {
    name = "kernel-module";
    path = ../kernel-module;
    filter =
      path: _:
      baseNameOf path != "build" && builtins.match ".*\\.(md|ko|o|mod|mod\\.c|cmd|a)" path == null;
  };
}
