/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the Rust unwinder that must be assembly: taking the registers at a panic
 * and entering a landing pad. The rest is rust/libbentofs/src/unwind/. Linked into each
 * file-system module, so that no symbol of it is shared.
 *
 * struct Registers of rust/libbentofs/src/unwind/mod.rs: 17 words in the order of the
 * DWARF numbers of x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8..r15, return address. Only
 * what a callee must preserve is taken; the unwinder finds the rest of the callers' values
 * from there.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

#define REG_RAX	(0 * 8)
#define REG_RDX	(1 * 8)
#define REG_RBX	(3 * 8)
#define REG_RBP	(6 * 8)
#define REG_RSP	(7 * 8)
#define REG_R12	(12 * 8)
#define REG_R13	(13 * 8)
#define REG_R14	(14 * 8)
#define REG_R15	(15 * 8)
#define REG_RA	(16 * 8)
#define REGS_SIZE	(17 * 8)

/* Makes the struct on the stack, as the caller has the registers, and points rdi to it. */
.macro TAKE_REGISTERS
	subq	$REGS_SIZE, %rsp
	movq	%rbx, REG_RBX(%rsp)
	movq	%rbp, REG_RBP(%rsp)
	leaq	(REGS_SIZE + 8)(%rsp), %rax
	movq	%rax, REG_RSP(%rsp)
	movq	%r12, REG_R12(%rsp)
	movq	%r13, REG_R13(%rsp)
	movq	%r14, REG_R14(%rsp)
	movq	%r15, REG_R15(%rsp)
	movq	REGS_SIZE(%rsp), %rax
	movq	%rax, REG_RA(%rsp)
	movq	%rsp, %rdi
.endm

	.text

/*
 * void bento_unwind_raise(u32 forced): unwinds to the innermost guard; with @forced no
 * destructor runs on the way. Returns only where nobody catches.
 */
SYM_FUNC_START(bento_unwind_raise)
	movl	%edi, %esi
	TAKE_REGISTERS
	call	bento_unwind_raise_inner
	addq	$REGS_SIZE, %rsp
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(bento_unwind_raise)

/* What a landing pad calls when its destructors have run. Does not return. */
SYM_FUNC_START(_Unwind_Resume)
	TAKE_REGISTERS
	call	bento_unwind_resume_inner
	int3
SYM_FUNC_END(_Unwind_Resume)

/*
 * void bento_unwind_install(const struct Registers *): loads the registers and goes on at
 * the return address, by a RET: a landing pad needs no ENDBR then. Does not return.
 */
SYM_FUNC_START(bento_unwind_install)
	movq	REG_RAX(%rdi), %rax
	movq	REG_RDX(%rdi), %rdx
	movq	REG_RBX(%rdi), %rbx
	movq	REG_RBP(%rdi), %rbp
	movq	REG_R12(%rdi), %r12
	movq	REG_R13(%rdi), %r13
	movq	REG_R14(%rdi), %r14
	movq	REG_R15(%rdi), %r15
	movq	REG_RA(%rdi), %rcx
	movq	REG_RSP(%rdi), %rsp
	pushq	%rcx
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(bento_unwind_install)
