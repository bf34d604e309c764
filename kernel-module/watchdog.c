// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mount option watchdog=S: leaf calls that run for longer than S seconds are told of, once each.
 *
 * Such a call keeps an upgrade from closing the gate, and nobody can end it: it may wait for a
 * device, or loop. While the option is set, all running calls of the mount are on a list.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/jump_label.h>
#include <linux/sched.h>

#include "bentofs_i.h"

void bento_watch_begin(struct bento_call *call)
{
	struct bento_mount *bm = call->bm;

	call->watched = READ_ONCE(bm->opt.watchdog_s);
	call->told = false;
	if (!call->watched)
		return;
	spin_lock(&bm->watch_lock);
	list_add_tail(&call->watch_link, &bm->watched);
	spin_unlock(&bm->watch_lock);
}

void bento_watch_end(struct bento_call *call)
{
	if (!call->watched)
		return;
	spin_lock(&call->bm->watch_lock);
	list_del(&call->watch_link);
	spin_unlock(&call->bm->watch_lock);
}

/* The task is inside the call, so it stays. Its name is its own choice: escaped. */
static void bento_watch_tell(struct bento_mount *bm, struct bento_call *call, u64 seconds)
{
	const struct task_struct *task = (struct task_struct *)(unsigned long)call->cx.task;

	call->told = true;
	bento_warn(bm, "%s of task %d (%*pE) has been running for %llu s, see /proc/%d/stack",
		   bento_op_name(call->cx.op), task->pid,
		   (int)strnlen(task->comm, TASK_COMM_LEN), task->comm, seconds, task->pid);
}

/* How many calls run for too long; @tell: of those that nobody was told of. */
static u32 bento_watch_look(struct bento_mount *bm, bool tell)
{
	u64 limit = READ_ONCE(bm->opt.watchdog_s) * (u64)NSEC_PER_SEC;
	u64 now = ktime_get_ns();
	struct bento_call *call;
	u32 stuck = 0;

	if (!limit)
		return 0;
	spin_lock(&bm->watch_lock);
	list_for_each_entry(call, &bm->watched, watch_link) {
		/* They are in order of their start, nearly. */
		if (now < call->start + limit)
			continue;
		stuck++;
		if (tell && !call->told)
			bento_watch_tell(bm, call, div_u64(now - call->start, NSEC_PER_SEC));
	}
	spin_unlock(&bm->watch_lock);
	return stuck;
}

u32 bento_stuck(struct bento_mount *bm)
{
	return bento_watch_look(bm, false);
}

static void bento_watch_work(struct work_struct *work)
{
	struct bento_mount *bm = container_of(to_delayed_work(work), struct bento_mount, watch_work);

	bento_watch_look(bm, true);
	queue_delayed_work(bento_wq, &bm->watch_work, HZ);
}

void bento_watch_init(struct bento_mount *bm)
{
	spin_lock_init(&bm->watch_lock);
	INIT_LIST_HEAD(&bm->watched);
	INIT_DELAYED_WORK(&bm->watch_work, bento_watch_work);
}

/* The option has a value, or a new one; 0 at the end of the mount. Not two at once. */
void bento_watch_set(struct bento_mount *bm, u32 seconds)
{
	WRITE_ONCE(bm->opt.watchdog_s, seconds);
	if (!!seconds == bm->watching)
		return;
	bm->watching = seconds;
	if (seconds) {
		static_branch_inc(&bento_observe_key);
		queue_delayed_work(bento_wq, &bm->watch_work, HZ);
	} else {
		cancel_delayed_work_sync(&bm->watch_work);
		static_branch_dec(&bento_observe_key);
	}
}
