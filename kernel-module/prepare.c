// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the old instance does for an upgrade while operations go on: prepare() and a first
 * export. Both may have to wait for an operation that does not end, so a worker does it, and
 * the upgrade gives up after a while.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/refcount.h>
#include <linux/slab.h>

#include "bentofs_i.h"

/* First size of the buffer for an exported state. */
#define BENTO_STATE_FIRST	(64U << 10)
/* A commit waits for the device: this many times drain_ms is enough for it. */
#define BENTO_PREPARE_FACTOR	10U

struct bento_prepare {
	struct work_struct work;
	struct bento_mount *bm;		/* with a reference */
	struct bento_state state;
	struct completion done;
	refcount_t users;		/* the worker and the upgrade */
	int err;
};

static void bento_prepare_put(struct bento_prepare *p)
{
	if (!refcount_dec_and_test(&p->users))
		return;
	kvfree(p->state.data);
	kfree(p);
}

/* PREPARE or TRY_EXPORT, by @op. */
static int bento_prepare_leaf(struct bento_mount *bm, u32 op, struct bento_state *state)
{
	struct bento_call call __uninitialized;
	int err;

	err = bento_enter(&call, op, 0, bm);
	if (err)
		return err;
	bento_trace(&call, 0);
	if (op == BENTO_OP_PREPARE)
		err = bento_ops(&call)->prepare(&call.cx, call.fs);
	else
		err = bento_ops(&call)->export_state(&call.cx, call.fs, state);
	return bento_leave(&call, err);
}

/* Holds off a freeze by itself, for it may go on after the upgrade has given up. */
static void bento_prepare_work(struct work_struct *work)
{
	struct bento_prepare *p = container_of(work, struct bento_prepare, work);
	struct bento_mount *bm = p->bm;

	p->err = -EBUSY;
	if (sb_start_intwrite_trylock(bm->sb)) {
		p->err = bento_prepare_leaf(bm, BENTO_OP_PREPARE, NULL) ?:
			 bento_prepare_leaf(bm, BENTO_OP_TRY_EXPORT, &p->state);
		sb_end_intwrite(bm->sb);
	}
	WRITE_ONCE(bm->preparing, false);
	complete(&p->done);
	bento_prepare_put(p);
	bento_mount_put(bm);
}

static struct bento_prepare *bento_prepare_alloc(struct bento_mount *bm)
{
	struct bento_prepare *p;

	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return NULL;
	p->state.cap = BENTO_STATE_FIRST;
	p->state.data = kvmalloc(BENTO_STATE_FIRST, GFP_KERNEL);
	if (!p->state.data || !bento_mount_get(bm)) {
		kvfree(p->state.data);
		kfree(p);
		return NULL;
	}
	p->bm = bm;
	INIT_WORK(&p->work, bento_prepare_work);
	init_completion(&p->done);
	refcount_set(&p->users, 2);
	return p;
}

/*
 * Under upgrade_mutex. Gives the state to the caller, who frees state->data, and what was
 * there before. -ETIMEDOUT, -EINTR: the worker is still at it, and until it ends: -EBUSY.
 */
int bento_prepare(struct bento_mount *bm, struct bento_state *state)
{
	unsigned long limit = msecs_to_jiffies(READ_ONCE(bm->drain_ms)) * BENTO_PREPARE_FACTOR;
	struct bento_prepare *p;
	long left;
	int err;

	if (READ_ONCE(bm->preparing)) {
		bento_err(bm, "the preparation of an earlier upgrade still waits for an operation");
		return -EBUSY;
	}
	p = bento_prepare_alloc(bm);
	if (!p)
		return -ENOMEM;
	WRITE_ONCE(bm->preparing, true);
	queue_work(bento_mount_wq, &p->work);
	left = wait_for_completion_killable_timeout(&p->done, limit);
	err = left > 0 ? p->err : left ? -EINTR : -ETIMEDOUT;
	if (!err)
		swap(*state, p->state);
	bento_prepare_put(p);
	return err;
}
