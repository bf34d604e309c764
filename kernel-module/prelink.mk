# SPDX-License-Identifier: GPL-2.0-only
# Kbuild fragment: $(obj)/bento_rust.o, an ordinary object, from a Rust static library.
#
#   BENTO_STATICLIB  path of lib<fs>_kmod.a, built for this kernel (rust.mk)
#   bento-here       this folder; from Linux 6.13 on $(src) does not tell it
#
# Include it before the objects of the module are listed, and list unwind.o beside
# bento_rust.o. Everything but bento-rust-symbols becomes local to the object.

bento-rust-symbols := bento_rust_ops bento_rust_init \
	bento_unwind_raise_inner bento_unwind_resume_inner

# Only the unwinder reaches a landing pad: objtool must not call it unreachable.
objtool-args-y += --no-unreachable

# objtool takes a function address in a table for the target of an indirect branch, which then
# must begin with ENDBR; it leaves sections alone whose name begins with .debug. This one is
# loaded and relocated all the same, as it stays SHF_ALLOC. Not in the linker script: ld would
# not edit a table of another name when it drops functions.
bento-rename := --rename-section \
	.eh_frame=.debug_bento_eh$(comma)alloc$(comma)load$(comma)readonly$(comma)data$(comma)contents

# --gc-sections, as all of core is in the library; -u names what must stay.
# kbuild runs objtool itself where it does so late (delay-objtool), else only on C objects; it
# only warns of what must not be loaded, so whatever it says here is an error.
# Commands run under set -e, where && would hide a failure.
bento-objtool = $(objtool) $(objtool-args) --link $@ 2>$@.log || true; \
	if [ -s $@.log ]; then cat $@.log >&2; rm -f $@; exit 1; fi; \
	rm -f $@.log

# The most stack that a call into the file system may use, a panic at its deepest point included:
# the kernel has 16 KiB, of which its own code above and below needs the larger part. stack.awk can
# allow mounts and imports more, which have little above them; they need no more.
bento-stack-limits := -v limit=6144 -v first_limit=6144
bento-stack = $(OBJDUMP) -dr --no-show-raw-insn $@ | \
	$(AWK) $(bento-stack-limits) -f $(bento-here)/stack.awk >&2 || { rm -f $@; exit 1; }

quiet_cmd_bento_prelink = RUSTLD  $@
      cmd_bento_prelink = \
	$(LD) $(KBUILD_LDFLAGS) -r --gc-sections $(addprefix -u ,$(bento-rust-symbols)) \
		-T $(bento-here)/prelink.lds -o $@.tmp $(BENTO_STATICLIB); \
	$(OBJCOPY) $(addprefix --keep-global-symbol=,$(bento-rust-symbols)) \
		$(bento-rename) $@.tmp $@; \
	rm -f $@.tmp; \
	$(bento-stack) \
	$(if $(delay-objtool),,; $(bento-objtool))

$(obj)/bento_rust.o: $(BENTO_STATICLIB) $(bento-here)/prelink.lds $(bento-here)/stack.awk FORCE
	$(call if_changed,bento_prelink)
targets += bento_rust.o
