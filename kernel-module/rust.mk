# SPDX-License-Identifier: GPL-2.0-only
# How Rust code is compiled for one kernel: flags and the static library. Stand-alone:
#
#   make -s -f rust.mk KDIR=/lib/modules/.../build print-rustflags
#   make    -f rust.mk KDIR=...  BENTO_CRATE=xv6-kmod staticlib     (by cargo, without Nix)
#   make -s -f rust.mk KDIR=...  BENTO_CRATE=xv6-kmod print-staticlib
#   make    -f rust.mk KDIR=...  clippy
#
# KDIR              headers of the kernel, configured (include/config/auto.conf)
# BENTO_CRATE       the crate of a file system's module
# CARGO_TARGET_DIR  where cargo builds; one directory per set of flags is made below it
# BENTO_VENDOR      folder of the vendored crates, where they are not from the registry cache
# BENTO_CARGO       more arguments for cargo (--offline, --frozen, -j2 ...)
#
# The mitigations and the alignment of a kernel are matters of code generation, so a library
# is built for one kernel configuration; objtool checks it when it is linked (prelink.mk).

here := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
rust := $(abspath $(here)/../rust)
target := $(here)/x86_64-bento-kernel.json

ifeq ($(KDIR),)
$(error rust.mk: say which kernel: KDIR=/lib/modules/VERSION/build)
endif
ifeq ($(wildcard $(KDIR)/include/config/auto.conf),)
$(error rust.mk: no $(KDIR)/include/config/auto.conf: install the kernel's headers package)
endif
include $(KDIR)/include/config/auto.conf

# An option that was renamed has one of two names.
on = $(or $(CONFIG_MITIGATION_$(1)),$(CONFIG_$(1)))

# What the module loader and the kernel's code model ask for; the rest is in the target.
flags-y := -Crelocation-model=static -Ccode-model=kernel -Cno-redzone=y \
	-Ctarget-cpu=x86-64 -Ztune-cpu=generic -Csymbol-mangling-version=v0 \
	-Cembed-bitcode=n -Cpanic=unwind -Cforce-unwind-tables=y
# Each without which objtool complains (design: rust-in-kernel.md).
flags-$(call on,RETPOLINE) += -Zretpoline-external-thunk -Zindirect-branch-cs-prefix \
	-Cjump-tables=no
flags-$(call on,RETHUNK) += -Zfunction-return=thunk-extern
flags-$(CONFIG_X86_KERNEL_IBT) += -Zcf-protection=branch
flags-$(CONFIG_FRAME_POINTER) += -Cforce-frame-pointers=y
# Room before each function, where call depth tracking puts its code.
padding := $(or $(CONFIG_FUNCTION_PADDING_BYTES),0)
flags-$(CONFIG_CALL_PADDING) += -Zpatchable-function-entry=$(padding),$(padding) \
	-Zmin-function-alignment=$(or $(CONFIG_FUNCTION_ALIGNMENT),16)

# No path of the build machine in the object: the same source gives the same bytes anywhere.
cargo-home := $(or $(CARGO_HOME),$(HOME)/.cargo)
run := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
sysroot := $(shell cd $(rust) && $(run) rustc --print sysroot)
remap := $(rust)/=rust/ $(sysroot)=/rust
remap += $(foreach d,$(wildcard $(cargo-home)/registry/src/*),$(d)/=/cargo/)
remap += $(if $(BENTO_VENDOR),$(BENTO_VENDOR)/=/cargo/)
flags-y += $(addprefix --remap-path-prefix=,$(remap))

rustflags := $(strip $(flags-y))
cargo-flags := --target $(target) -Zjson-target-spec -Zbuild-std=core,alloc
cargo-env := $(run) RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 RUSTFLAGS='$(rustflags)'

# Kernels with equal flags share one build.
flags-id := $(firstword $(shell echo '$(rustflags)' | sha256sum | cut -c1-12))
target-dir := $(or $(CARGO_TARGET_DIR),$(rust)/target)/kernel-$(flags-id)
staticlib := $(target-dir)/x86_64-bento-kernel/release/lib$(subst -,_,$(BENTO_CRATE)).a

.PHONY: print-rustflags print-cargo-flags print-target print-staticlib staticlib clippy

print-rustflags:
	@echo '$(rustflags)'

# What else cargo needs, beside RUSTFLAGS and RUSTC_BOOTSTRAP=1.
print-cargo-flags:
	@echo '$(cargo-flags)'

print-target:
	@echo '$(target)'

print-staticlib: need-crate
	@echo '$(staticlib)'

# Whether anything is to be done only cargo knows.
staticlib: need-crate
	cd $(rust) && $(cargo-env) cargo build --release $(cargo-flags) \
		--target-dir $(target-dir) $(BENTO_CARGO) -p $(BENTO_CRATE)

# The code that a host build does not see: locks, panic handler, unwinder, allocator.
clippy:
	cd $(rust) && $(cargo-env) cargo clippy --release $(cargo-flags) \
		--target-dir $(target-dir) $(BENTO_CARGO) \
		-p bento-sync -p libbentoks -p libbentofs -p hello-kmod -p prov-kmod -p xv6-kmod -- -D warnings

.PHONY: need-crate
need-crate:
	@test -n '$(BENTO_CRATE)' || { echo 'rust.mk: say which crate: BENTO_CRATE=xv6-kmod' >&2; exit 2; }
