# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Where downloads come from when ./prefetch has not put them into the store. The environment
# counts only in an impure evaluation (nix-build, or nix build --impure);
# NIX_MIRRORS_debian is nixpkgs' own variable.
let
  from =
    variable: otherwise:
    let
      value = builtins.getEnv variable;
    in
    if value == "" then otherwise else value;
in
{
  debian = from "NIX_MIRRORS_debian" "mirror://debian";
  rust = from "RUSTUP_DIST_SERVER" "mirror://rust";
  crates = from "NIX_MIRRORS_crates" "mirror://crates";
}
