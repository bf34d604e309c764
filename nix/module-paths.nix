# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# No module says where it was built: the same source gives the same bytes anywhere, and whoever
# gets one need not have a Nix store.
{ runCommand, kernel }:
{ modules }: # packages with lib/modules
runCommand "module-paths-${kernel.modDirVersion}" { inherit modules; } ''
  places() { LC_ALL=C grep -aoE '/(nix/store|build|tmp|home|root|usr/src)/[ -~]*' "$1"; }
  # That this finds one.
  printf 'x\0/nix/store/abc-linux/x.c\0' > example
  [ "$(places example)" = /nix/store/abc-linux/x.c ]
  number=0
  for file in $(find $modules -name '*.ko'); do
    number=$((number + 1))
    if places $file; then
      echo "$file names places of the machine that built it (above)" >&2
      exit 1
    fi
  done
  echo "$number modules name no place of the machine that built them" | tee $out
  [ $number -ge 3 ]
''
