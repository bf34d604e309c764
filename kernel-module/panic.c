// SPDX-License-Identifier: GPL-2.0-only
/*
 * Panics of file systems, and the sleeping side of their locks.
 *
 * A panic marks its instance failed before any destructor runs. Whoever waits for a lock of
 * that instance is woken and leaves with -EIO instead of seeing half-changed state; the locks
 * that the panicking task lets go are poisoned by bento-sync.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/stacktrace.h>
#include <linux/string_helpers.h>

#include "bentofs_i.h"

/* bento_cx.flags; the low bits are those of bento_abi.h */
#define BENTO_CX_PANICKING	(1U << 31)

#define BENTO_TRACE_MAX		24

/* -------------------------------------------------------------------- locks */

/*
 * Waiters of all locks of all mounts, hashed by the address of the lock word. Not the
 * kernel's wait_var table, for a panic has to wake them all.
 */
#define BENTO_WAIT_BITS		6
static wait_queue_head_t bento_lock_wq[1 << BENTO_WAIT_BITS];

struct bento_waiter {
	struct wait_queue_entry entry;
	const u32 *word;
};

void __init bento_panic_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bento_lock_wq); i++)
		init_waitqueue_head(&bento_lock_wq[i]);
}

static wait_queue_head_t *bento_lock_queue(const u32 *word)
{
	return &bento_lock_wq[hash_ptr((void *)word, BENTO_WAIT_BITS)];
}

/* @key: the word, or NULL for everybody. */
static int bento_waiter_wake(struct wait_queue_entry *entry, unsigned int mode, int sync,
			     void *key)
{
	struct bento_waiter *waiter = container_of(entry, struct bento_waiter, entry);

	if (key && key != waiter->word)
		return 0;
	return autoremove_wake_function(entry, mode, sync, key);
}

int bento_ks_lock_wait(const __u32 *word, __u32 expected)
{
	wait_queue_head_t *wq = bento_lock_queue(word);
	struct bento_cx *cx = bento_cx_find();
	struct bento_inst *inst = cx ? (struct bento_inst *)(unsigned long)cx->inst : NULL;
	struct bento_waiter waiter = { .word = word };
	int err = 0;

	init_wait(&waiter.entry);
	waiter.entry.func = bento_waiter_wake;
	prepare_to_wait(wq, &waiter.entry, TASK_UNINTERRUPTIBLE);
	/* Looked at after queueing: a wake or a failure from here on finds us. */
	if (inst && smp_load_acquire(&inst->failed))
		err = -EIO;
	else if (READ_ONCE(*word) == expected)
		schedule();
	finish_wait(wq, &waiter.entry);
	if (inst && smp_load_acquire(&inst->failed))
		err = -EIO;
	return err;
}
EXPORT_SYMBOL_GPL(bento_ks_lock_wait);

void bento_ks_lock_wake(const __u32 *word)
{
	wait_queue_head_t *wq = bento_lock_queue(word);

	if (wq_has_sleeper(wq))
		__wake_up(wq, TASK_NORMAL, 0, (void *)word);
}
EXPORT_SYMBOL_GPL(bento_ks_lock_wake);

void bento_inst_fail(struct bento_inst *inst)
{
	unsigned int i;

	smp_store_release(&inst->failed, 1);

	for (i = 0; i < ARRAY_SIZE(bento_lock_wq); i++)
		wake_up_all(&bento_lock_wq[i]);
	bento_settle_begin(inst->bm);
}

/* ------------------------------------------------------------------- panics */

/* Not dump_stack(): its header is the mark of a kernel bug, which this is not. */
static void bento_backtrace(const char *id)
{
	unsigned long entries[BENTO_TRACE_MAX];
	unsigned int n, i;

	n = stack_trace_save(entries, ARRAY_SIZE(entries), 2);
	for (i = 0; i < n; i++)
		pr_err("%s:   %pS\n", id, (void *)entries[i]);
}

static void bento_panic_report(const struct bento_cx *cx, const struct bento_inst *inst,
			       const u8 *text, u32 len)
{
	const char *id = inst->bm->id;

	pr_err("%s: %s panicked in %s of process %u: %*pE\n", id, bento_build_id(inst->build),
	       bento_op_name(cx->op), current->tgid, (int)min(len, 512U), text);
	bento_backtrace(id);
	bento_last_error_panic(inst->bm, cx->op, text, len);
	/* The instance of a mount or an upgrade that has not succeeded yet serves nobody. */
	if (inst == READ_ONCE(inst->bm->inst) && inst->fs)
		pr_err("%s: the mount FAILED: operations return EIO until it is repaired by an upgrade or unmounted\n",
		       id);
}

void bento_ks_on_panic(const __u8 *text, __u32 len)
{
	struct bento_cx *cx = bento_cx_find();
	struct bento_inst *inst;
	bool first;

	if (!cx) {
		pr_err("a file system panicked outside of an operation: %*pE\n",
		       (int)min(len, 512U), text);
		bento_backtrace("no mount");
		return;
	}
	inst = (struct bento_inst *)(unsigned long)cx->inst;
	first = !(cx->flags & BENTO_CX_PANICKING);
	cx->flags |= BENTO_CX_PANICKING;
	bento_inst_fail(inst);
	/* A destructor that panics while unwinding comes here again. */
	if (!first)
		return;
	atomic64_inc(&inst->bm->panics);
	if (tracepoint_enabled(panic))
		bento_trace_panic(inst->bm, cx->op, text, len);
	bento_panic_report(cx, inst, text, len);
	if (READ_ONCE(inst->bm->opt.oops_on_panic))
		bento_ks_bug();
}
EXPORT_SYMBOL_GPL(bento_ks_on_panic);

__u32 bento_ks_panicking(void)
{
	struct bento_cx *cx = bento_cx_find();

	return cx && (cx->flags & BENTO_CX_PANICKING);
}
EXPORT_SYMBOL_GPL(bento_ks_panicking);

void bento_ks_panic_done(void)
{
	struct bento_cx *cx = bento_cx_find();

	if (cx)
		cx->flags &= ~BENTO_CX_PANICKING;
}
EXPORT_SYMBOL_GPL(bento_ks_panic_done);

void bento_ks_bug(void)
{
	BUG();
}
EXPORT_SYMBOL_GPL(bento_ks_bug);
