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

#define RAX	(0 * 8)
#define RDX	(1 * 8)
#define RBX	(3 * 8)
#define RBP	(6 * 8)
#define RSP	(7 * 8)
#define R12	(12 * 8)
#define R13	(13 * 8)
#define R14	(14 * 8)
#define R15	(15 * 8)
#define RA	(16 * 8)
#define SIZE	(17 * 8)

/* Makes the struct on the stack, as the caller has the registers, and points rdi to it. */
.macro TAKE_REGISTERS
	subq	$SIZE, %rsp
	movq	%rbx, RBX(%rsp)
	movq	%rbp, RBP(%rsp)
	leaq	(SIZE + 8)(%rsp), %rax
	movq	%rax, RSP(%rsp)
	movq	%r12, R12(%rsp)
	movq	%r13, R13(%rsp)
	movq	%r14, R14(%rsp)
	movq	%r15, R15(%rsp)
	movq	SIZE(%rsp), %rax
	movq	%rax, RA(%rsp)
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
	addq	$SIZE, %rsp
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
	movq	RAX(%rdi), %rax
	movq	RDX(%rdi), %rdx
	movq	RBX(%rdi), %rbx
	movq	RBP(%rdi), %rbp
	movq	R12(%rdi), %r12
	movq	R13(%rdi), %r13
	movq	R14(%rdi), %r14
	movq	R15(%rdi), %r15
	movq	RA(%rdi), %rcx
	movq	RSP(%rdi), %rsp
	pushq	%rcx
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(bento_unwind_install)
