#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Generates from kernel-module/include/bento_abi.h
#   rust/bento-sys/src/bindings.rs   the declarations, with const assertions of every size and offset
#   kernel-module/abi_check.c        the same numbers as static assertions for the C compiler
# Both are committed.
#
# usage: generate.sh [OUT]      OUT: root to write below; without it, the tree of this script
#        generate.sh --check    fails where a committed file is not what would be generated
# needs: bindgen 0.73 (bindgen-cli), libclang, the header linux/types.h; rustfmt, but for --check,
#        which looks at tokens and not at their layout
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
bindings=rust/bento-sys/src/bindings.rs
check=kernel-module/abi_check.c

case $(bindgen --version) in
"bindgen 0.73."*) ;;
*)
	echo "generate.sh: needs bindgen 0.73, found: $(bindgen --version)" >&2
	exit 1
	;;
esac

# BINDGEN_EXTRA_CLANG_ARGS may hold -I of the C library's headers, where they are not in /usr.
# Registration is a matter of the C shim. Raw pointers have no default: whoever fills such a
# struct names every field.
generate_bindings() {
	cd "$root/kernel-module/include"
	bindgen bento_abi.h --use-core --rust-target 1.85 --rust-edition 2024 \
		--allowlist-item 'bento_.*|BENTO_.*' --blocklist-item 'bento_(un)?register|module' \
		--no-prepend-enum-name --with-derive-default \
		--no-default 'bento_(mount_in|make_in|rename_in|xattr|buf|write|fs_ops)' \
		--merge-extern-blocks --disable-header-comment --no-doc-comments \
		--raw-line '// SPDX-License-Identifier: GPL-2.0-only' \
		--raw-line '// Generated from kernel-module/include/bento_abi.h by generate.sh: do not edit.' \
		--formatter none --output "$1"
}

# The tokens of FILE, one statement per line.
tokens() {
	tr -d ' \t\n,' <"$1" | tr ';' '\n'
}

generate_check() {
	cat <<-'C'
	// SPDX-License-Identifier: GPL-2.0-only
	/*
	 * Generated from include/bento_abi.h by rust/bento-sys/generate.sh: do not edit.
	 *
	 * The layout that the Rust side was built with, asserted by the C compiler of this
	 * kernel. The same numbers are const assertions in rust/bento-sys/src/bindings.rs.
	 */
	#include <linux/build_bug.h>
	#include <linux/stddef.h>
	#include "include/bento_abi.h"

	C
	tokens "$1" | sed -n \
		-e 's/.*\["Sizeof\([a-z_]*\)"\].*-\([0-9]*\)usize\].*/static_assert(sizeof(struct \1) == \2);/p' \
		-e 's/.*\["Alignmentof\([a-z_]*\)"\].*-\([0-9]*\)usize\].*/static_assert(__alignof__(struct \1) == \2);/p' \
		-e 's/.*\["Offsetoffield:\([a-z_]*\)::\([a-z_]*\)"\].*-\([0-9]*\)usize\].*/static_assert(offsetof(struct \1, \2) == \3);/p'
}

if [ "${1-}" = --check ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(generate_bindings "$work/bindings.rs")
	generate_check "$work/bindings.rs" >"$work/abi_check.c"
	tokens "$work/bindings.rs" >"$work/new"
	tokens "$root/$bindings" >"$work/committed"
	if ! diff -u "$work/committed" "$work/new" || ! diff -u "$root/$check" "$work/abi_check.c"; then
		echo "generate.sh: the header has changed: run rust/bento-sys/generate.sh and commit" >&2
		exit 1
	fi
	exit 0
fi

out=${1:-$root}
mkdir -p "$(dirname "$out/$bindings")" "$(dirname "$out/$check")"
(generate_bindings "$out/$bindings")
rustfmt --edition 2024 --config-path "$root/rust/rustfmt.toml" "$out/$bindings"
generate_check "$out/$bindings" >"$out/$check"
