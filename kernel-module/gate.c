// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate of a mount, and the leaf calls that pass it.
 *
 * The gate is a percpu_ref. A leaf call takes it with tryget_live and gives it back when it
 * returns; an upgrade kills it, waits until it is zero, replaces the instance and resurrects
 * it. Open, it costs about 40 instructions per call and no shared cache line.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/delay.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "bentofs_i.h"

static u64 bento_cx_secret __ro_after_init;

int __init bento_cx_secret_init(void)
{
	bento_cx_secret = get_random_u64() | 1;
	return 0;
}

/* ---------------------------------------------------------------- the gate */

static void bento_gate_release(struct percpu_ref *ref)
{
	wake_up_all(&container_of(ref, struct bento_mount, gate)->drain_wq);
}

int bento_gate_init(struct bento_mount *bm)
{
	init_waitqueue_head(&bm->gate_wq);
	init_waitqueue_head(&bm->drain_wq);
	init_waitqueue_head(&bm->commit_wq);
	return percpu_ref_init(&bm->gate, bento_gate_release, PERCPU_REF_ALLOW_REINIT,
			       GFP_KERNEL);
}

/* Nobody is inside and nobody comes: the super block is being torn down. */
void bento_gate_exit(struct bento_mount *bm)
{
	percpu_ref_exit(&bm->gate);
}

/*
 * Leaf calls that wait for the device in the normal case. An upgrade waits for them before it
 * closes the gate, while all others still pass: the drain then waits for short calls only.
 */
static bool bento_is_slow(u32 op)
{
	return op == BENTO_OP_FSYNC || op == BENTO_OP_SYNC;
}

static void bento_slow_leave(struct bento_mount *bm)
{
	if (atomic_dec_and_test(&bm->slow_inside) && READ_ONCE(bm->slow_closed))
		wake_up_all(&bm->drain_wq);
}

static int bento_slow_enter(struct bento_mount *bm, u32 flags)
{
	for (;;) {
		atomic_inc(&bm->slow_inside);
		/* Either we see slow_closed here, or bento_gate_prepare() sees us inside. */
		smp_mb__after_atomic();
		if (likely(!READ_ONCE(bm->slow_closed)))
			return 0;
		bento_slow_leave(bm);
		if (flags & BENTO_ENTER_NOKILL)
			wait_event(bm->gate_wq, !READ_ONCE(bm->slow_closed));
		else if (wait_event_killable(bm->gate_wq, !READ_ONCE(bm->slow_closed)))
			return -EINTR;
	}
}

/*
 * What takes long comes first, while operations go on: the switch to atomic mode waits for a
 * grace period (10 ms and more; killed in per-CPU mode the gate would stay closed for that
 * time), then slow calls end and new ones wait.
 * Returns 0, or -ETIMEDOUT or -EINTR with nothing to finish.
 */
int bento_gate_prepare(struct bento_mount *bm, unsigned int drain_ms)
{
	long left;

	percpu_ref_switch_to_atomic_sync(&bm->gate);
	WRITE_ONCE(bm->slow_closed, true);
	smp_mb();
	left = wait_event_killable_timeout(bm->drain_wq, !atomic_read(&bm->slow_inside),
					   msecs_to_jiffies(drain_ms));
	if (left > 0)
		return 0;
	bento_gate_finish(bm);
	return left ? -EINTR : -ETIMEDOUT;
}

/* Ends what bento_gate_prepare() began. */
void bento_gate_finish(struct bento_mount *bm)
{
	WRITE_ONCE(bm->slow_closed, false);
	wake_up_all(&bm->gate_wq);
	percpu_ref_switch_to_percpu(&bm->gate);
}

/*
 * Some other calls wait for the device now and then (room in the log). All would wait with
 * them, so the gate is closed for a moment only and tried again later; the moments grow, so that
 * it works where there is always such a call inside.
 */
#define BENTO_DRAIN_FIRST_US	2000U
#define BENTO_DRAIN_REST_MS	10U
#define BENTO_DRAIN_TRIES	8U	/* of one length */

static bool bento_gate_try_close(struct bento_mount *bm, unsigned int us, struct bento_stamps *st)
{
	st->kill = ktime_get_ns();
	percpu_ref_kill(&bm->gate);
	if (!wait_event_hrtimeout(bm->drain_wq, percpu_ref_is_zero(&bm->gate),
				  ns_to_ktime((u64)us * NSEC_PER_USEC))) {
		st->drained = ktime_get_ns();
		return true;
	}
	bento_gate_open(bm);
	return false;
}

/*
 * Closes the gate and waits until all leaf calls have left.
 * Returns 0, or -ETIMEDOUT or -EINTR with the gate open.
 */
int bento_gate_close(struct bento_mount *bm, unsigned int drain_ms, struct bento_stamps *st)
{
	unsigned long end = jiffies + msecs_to_jiffies(drain_ms);
	unsigned int n = 0;

	while (!bento_gate_try_close(bm, BENTO_DRAIN_FIRST_US << (n / BENTO_DRAIN_TRIES), st)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		msleep(BENTO_DRAIN_REST_MS);
		n++;
	}
	return 0;
}

/* After bento_gate_close(). */
void bento_gate_open(struct bento_mount *bm)
{
	/* The new instance must be visible to whoever sees the gate open. */
	smp_wmb();
	percpu_ref_resurrect(&bm->gate);
	wake_up_all(&bm->gate_wq);
}

static noinline int bento_gate_wait(struct bento_mount *bm, u32 flags)
{
	do {
		if (flags & BENTO_ENTER_NOKILL)
			wait_event(bm->gate_wq, !percpu_ref_is_dying(&bm->gate));
		else if (wait_event_killable(bm->gate_wq, !percpu_ref_is_dying(&bm->gate)))
			return -EINTR;
	} while (!percpu_ref_tryget_live(&bm->gate));
	return 0;
}

/* -------------------------------------------------------------- leaf calls */

/* Operations that do not care who asks, and when: nothing of that is looked up for them. */
#define BENTO_ANONYMOUS_OPS							\
	(BIT_ULL(BENTO_OP_STATFS) | BIT_ULL(BENTO_OP_LOAD) |			\
	 BIT_ULL(BENTO_OP_DROP_NODE) | BIT_ULL(BENTO_OP_GETATTR) |		\
	 BIT_ULL(BENTO_OP_READLINK) | BIT_ULL(BENTO_OP_MAP) |			\
	 BIT_ULL(BENTO_OP_GETXATTR) | BIT_ULL(BENTO_OP_LISTXATTR))
static_assert(BENTO_OP_MAX <= 64);

static noinline void bento_call_request(struct bento_cx *cx, struct user_namespace *ns)
{
	struct timespec64 now;

	/* Numbers are what they are in the first namespace. */
	if (likely(ns == &init_user_ns)) {
		cx->uid = __kuid_val(current_fsuid());
		cx->gid = __kgid_val(current_fsgid());
	} else {
		cx->uid = from_kuid_munged(ns, current_fsuid());
		cx->gid = from_kgid_munged(ns, current_fsgid());
	}
	cx->pid = current->tgid;
	ktime_get_coarse_real_ts64(&now);
	cx->now.sec = now.tv_sec;
	cx->now.nsec = now.tv_nsec;
	memcpy(cx->comm, current->comm, sizeof(cx->comm));
}

/* Sets every field of @call that anybody may read: calls are not zeroed before. */
static __always_inline void bento_call_begin(struct bento_call *call, u32 op)
{
	struct bento_cx *cx = &call->cx;

	cx->task = (u64)(unsigned long)current;
	cx->inst = (u64)(unsigned long)call->inst;
	cx->op = op;
	cx->flags = 0;
	cx->uid = 0;
	cx->gid = 0;
	cx->pid = 0;
	cx->pad = 0;
	cx->now = (struct bento_time) { };
	memset(cx->comm, 0, sizeof(cx->comm));
	if (!(BENTO_ANONYMOUS_OPS & BIT_ULL(op)))
		bento_call_request(cx, call->bm->sb->s_user_ns);
	call->start = 0;
	call->made = 0;
	call->fs = call->inst->fs;
	call->nofs = memalloc_nofs_save();
	/* Last: from here on the panic handler can find this context. */
	WRITE_ONCE(cx->magic, bento_cx_secret ^ (u64)(unsigned long)cx);
	this_cpu_inc(call->bm->counts->calls[op]);
	if (static_branch_unlikely(&bento_observe_key))
		bento_observe_begin(call);
}

static int bento_gate_pass(struct bento_mount *bm, u32 op, u32 flags)
{
	int err = 0;

	if (bento_is_slow(op)) {
		err = bento_slow_enter(bm, flags);
		if (err)
			return err;
	}
	if (unlikely(!percpu_ref_tryget_live(&bm->gate)))
		err = bento_gate_wait(bm, flags);
	if (unlikely(err) && bento_is_slow(op))
		bento_slow_leave(bm);
	return err;
}

static void bento_gate_leave(struct bento_mount *bm, u32 op)
{
	percpu_ref_put(&bm->gate);
	if (bento_is_slow(op))
		bento_slow_leave(bm);
}

bool bento_await_repair(struct bento_mount *bm, u32 flags)
{
	u32 ms = READ_ONCE(bm->opt.failed_wait_ms);

	if (!ms || flags & BENTO_ENTER_NOKILL)
		return false;
	return wait_event_killable_timeout(bm->gate_wq,
					   !bento_failed(bm) || READ_ONCE(bm->shutdown),
					   msecs_to_jiffies(ms)) > 0 && !READ_ONCE(bm->shutdown);
}

/* ------------------------------------------------------------ commits on demand */

/* How long an operation waits for a commit before it goes on; then it waits inside. */
#define BENTO_COMMIT_PATIENCE	(5 * HZ)

/* Operations of programs that take room in a log. Writeback is not held up. */
static bool bento_takes_room(u32 op, u32 flags)
{
	switch (op) {
	case BENTO_OP_SETATTR:
	case BENTO_OP_CREATE:
	case BENTO_OP_MKNOD:
	case BENTO_OP_MKDIR:
	case BENTO_OP_SYMLINK:
	case BENTO_OP_LINK:
	case BENTO_OP_UNLINK:
	case BENTO_OP_RMDIR:
	case BENTO_OP_RENAME:
	case BENTO_OP_ALLOCATE:
	case BENTO_OP_SETXATTR:
	case BENTO_OP_REMOVEXATTR:
	case BENTO_OP_FALLOCATE:
	case BENTO_OP_TMPFILE:
		return !(flags & BENTO_ENTER_NOKILL);
	default:
		return false;
	}
}

/*
 * No leaf call waits for the device on behalf of others, for an upgrade would wait with it. So
 * when the log runs full, the wait for the commit is out here. A signal only ends the wait.
 */
static noinline void bento_commit_await(struct bento_mount *bm)
{
	/* The commit waits for the log of records, so that log does not wait for the commit. */
	if (READ_ONCE(bm->log.owner) == current)
		return;
	if (wait_event_killable_timeout(bm->commit_wq, !READ_ONCE(bm->commit_wait),
					BENTO_COMMIT_PATIENCE) == 0)
		WRITE_ONCE(bm->commit_wait, false);
}

static noinline void bento_commit_ask(struct bento_mount *bm, u32 flags)
{
	if (flags & BENTO_CX_COMMIT_WAIT)
		WRITE_ONCE(bm->commit_wait, true);
	if (!xchg(&bm->commit_asked, true))
		mod_delayed_work(bento_wq, &bm->commit_work, 0);
}

/* The commit that was asked for begins: what is asked for from now on is another one. */
void bento_commit_begin(struct bento_mount *bm)
{
	xchg(&bm->commit_asked, false);
}

/* It has ended, in whatever way. */
void bento_commit_end(struct bento_mount *bm)
{
	WRITE_ONCE(bm->commit_wait, false);
	wake_up_all(&bm->commit_wq);
}

int bento_enter(struct bento_call *call, u32 op, u32 flags, struct bento_mount *bm)
{
	struct bento_inst *inst;
	int err;

	if (unlikely(READ_ONCE(bm->commit_wait)) && bento_takes_room(op, flags))
		bento_commit_await(bm);
again:
	err = bento_gate_pass(bm, op, flags);
	if (unlikely(err))
		return err;
	inst = READ_ONCE(bm->inst);
	if (unlikely(READ_ONCE(inst->failed))) {
		bento_gate_leave(bm, op);
		if (bento_await_repair(bm, flags))
			goto again;
		atomic64_inc(&bm->ops_failed);
		return -EIO;
	}
	call->bm = bm;
	call->inst = inst;
	call->gated = true;
	bento_call_begin(call, op);
	return 0;
}

/* The caller knows that @inst stays: it is not yet in use, no longer in use, or in charge
 * while the gate is closed. A failed instance is called too (destroy, drop_node). */
void bento_enter_inst(struct bento_call *call, u32 op, struct bento_inst *inst)
{
	call->bm = inst->bm;
	call->inst = inst;
	call->gated = false;
	bento_call_begin(call, op);
	bento_trace(call, 0);
}

int bento_leave(struct bento_call *call, int ret)
{
	struct bento_mount *bm = call->bm;

	WRITE_ONCE(call->cx.magic, 0);
	if (tracepoint_enabled(op_exit))
		bento_trace_exit(call, ret);
	if (unlikely(call->start))
		bento_observe_end(call, ret);
	memalloc_nofs_restore(call->nofs);
	if (unlikely(ret < 0)) {
		if (ret < -MAX_ERRNO)
			ret = -EIO;
		this_cpu_inc(bm->counts->errors[call->cx.op]);
		if (call->gated && READ_ONCE(call->inst->failed))
			atomic64_inc(&bm->ops_failed);
	}
	if (call->gated) {
		bento_gate_leave(bm, call->cx.op);
		if (unlikely(call->cx.flags & (BENTO_CX_COMMIT_SOON | BENTO_CX_COMMIT_WAIT)))
			bento_commit_ask(bm, call->cx.flags);
		if (unlikely(READ_ONCE(bm->log.on)))
			bento_log_kick(bm, &call->cx);
		if (unlikely(ret == -EUCLEAN))
			bento_damaged(bm);
	}
	return ret;
}

int bento_enter_inode(struct bento_call *call, u32 op, u32 flags, struct inode *inode, u64 *node)
{
	int err;

	err = bento_enter(call, op, flags, BENTO_M(inode->i_sb));
	if (unlikely(err))
		return err;
	err = bento_node(call, inode, node);
	if (unlikely(err)) {
		bento_trace(call, inode->i_ino);
		err = bento_leave(call, err);
	}
	return err;
}

/*
 * Looks for a live context in the frames above ours. No table of tasks is needed for it: a
 * context holds its own address mixed with a secret, which nothing else on a stack does.
 */
noinline struct bento_cx *bento_cx_find(void)
{
	unsigned long *p = __builtin_frame_address(0);
	unsigned long end = (unsigned long)task_stack_page(current) + THREAD_SIZE;
	unsigned long *last = (unsigned long *)(end - sizeof(struct bento_cx));

	for (; p <= last; p++) {
		struct bento_cx *cx = (struct bento_cx *)p;

		if (READ_ONCE_NOCHECK(*p) == (bento_cx_secret ^ (u64)(unsigned long)p) &&
		    cx->task == (u64)(unsigned long)current)
			return cx;
	}
	return NULL;
}
