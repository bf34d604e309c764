// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live upgrade: replaces the instance of one mount while it is in use.
 *
 *	prepare		old instance commits, shortens its state; operations go on
 *	rehearse	the new build imports what the old one exports, and is dropped again
 *	close the gate	new leaf calls wait, those inside leave (or the upgrade gives up)
 *	export, import	bytes from the old instance make a new one
 *	swap, open	from here on the new instance serves
 *	retire		the old one drops its nodes and goes, with its module reference
 *
 * Up to the swap nothing is taken from the old instance: any failure before it drops the new
 * instance and opens the gate again. A mount whose instance failed (panic) is repaired: the
 * new build mounts the device as after a crash, and inodes in use are fitted to it.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "bentofs_i.h"

/* How often the rehearsal is tried: it reads a file system in use, which may change under it. */
#define BENTO_REHEARSALS	3

static unsigned int drain_ms = 1000;
module_param(drain_ms, uint, 0644);
MODULE_PARM_DESC(drain_ms, "how long upgrades of new mounts wait for running operations, in ms (default 1000)");

void bento_upgrade_init(struct bento_mount *bm)
{
	mutex_init(&bm->upgrade_mutex);
	bm->drain_ms = READ_ONCE(drain_ms);
}

/* ---------------------------------------------------------- mount references */

/* Keeps the super block from going away. Under bento_registry_lock or from sysfs. */
bool bento_mount_get(struct bento_mount *bm)
{
	return atomic_inc_not_zero(&bm->sb->s_active);
}

struct bento_mount_put_work {
	struct work_struct work;
	struct super_block *sb;
};

static void bento_mount_put_last(struct work_struct *work)
{
	struct bento_mount_put_work *put = container_of(work, struct bento_mount_put_work, work);

	deactivate_super(put->sb);
	kfree(put);
}

/*
 * The last reference unmounts, which waits for the readers and writers of our sysfs files:
 * one of them may be the caller, so it leaves that to a worker.
 */
void bento_mount_put(struct bento_mount *bm)
{
	struct bento_mount_put_work *put;
	struct super_block *sb = bm->sb;

	if (atomic_add_unless(&sb->s_active, -1, 1))
		return;
	put = kmalloc(sizeof(*put), GFP_KERNEL | __GFP_NOFAIL);
	INIT_WORK(&put->work, bento_mount_put_last);
	put->sb = sb;
	queue_work(bento_mount_wq, &put->work);
}

/* ------------------------------------------------------------------- priority */

/*
 * While the gate is closed the upgrader must not lose its CPU to an ordinary task. Tasks
 * that asked for a policy of their own keep it.
 */
static bool bento_boost(void)
{
	if (current->policy != SCHED_NORMAL)
		return false;
	sched_set_fifo(current);
	return true;
}

static void bento_unboost(bool boosted)
{
	if (boosted)
		sched_set_normal(current, task_nice(current));
}

/* -------------------------------------------------------------------- upgrade */

/* All that one upgrade needs, allocated while operations still run. */
struct bento_upgrade {
	struct bento_inst *old;
	struct bento_inst *new;
	struct bento_state state;
	struct bento_stamps st;
	struct bento_orphans orphans;
	u32 flags;			/* BENTO_MOUNT_* */
	enum bento_event_kind kind;	/* becomes REPAIR where the old instance fails */
	const char *step;		/* for the message after an error */
};

/* Says in the log, in last_error and in history why the mount keeps the build that it has. */
static __printf(5, 6) void bento_upgrade_refused(struct bento_mount *bm, struct bento_build *build,
						 enum bento_event_kind kind, int err,
						 const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	bento_last_error(bm, "upgrade refused: %pV", &vaf);
	va_end(args);
	va_start(args, fmt);
	bento_err(bm, "upgrade refused: %pV", &vaf);
	va_end(args);
	bento_history_add(bm, kind, bm->inst->build, build, err, 0, "refused");
}

static void bento_upgrade_error(struct bento_mount *bm, const struct bento_upgrade *up, int err)
{
	char text[40];

	bento_err(bm, "upgrade %s -> %s: %s failed (error %d); %s stays",
		  up->old->build->version, bento_build_id(up->new->build), up->step, err,
		  READ_ONCE(up->old->failed) ? "the failed instance" :
		  bento_build_id(up->old->build));
	bento_last_error(bm, "upgrade %s -> %s: %s failed (error %d)", up->old->build->version,
			 bento_build_id(up->new->build), up->step, err);
	scnprintf(text, sizeof(text), "%s failed", up->step);
	bento_history_add(bm, up->kind, up->old->build, up->new->build, err, 0, text);
}

/* May @build serve this mount at all? Told before anything is changed. */
static int bento_upgrade_check(struct bento_mount *bm, struct bento_build *build,
			       enum bento_event_kind kind)
{
	const struct bento_fs_ops *old = bm->inst->ops, *new = build->ops;

	if (bm->type != build->type)
		return -EINVAL;
	if (bm->shutdown) {
		bento_upgrade_refused(bm, build, kind, -EIO, "the mount was shut down; unmount it");
		return -EIO;
	}
	if (!!(new->ops & BENTO_OPS_MAP) != bm->mapped) {
		bento_upgrade_refused(bm, build, kind, -EOPNOTSUPP,
				      "%s moves file data in another way than the mount; unmount first",
				      bento_build_id(build));
		return -EOPNOTSUPP;
	}
	if (!bento_failed(bm) && (old->schema < new->schema_min || old->schema > new->schema)) {
		bento_upgrade_refused(bm, build, kind, -EOPNOTSUPP,
				      "incompatible state: %s writes schema %u (reads %u-%u), %s reads %u-%u",
				      bento_build_id(bm->inst->build), old->schema,
				      old->schema_min, old->schema, bento_build_id(build),
				      new->schema_min, new->schema);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int bento_upgrade_import(struct bento_upgrade *up, u32 op)
{
	struct bento_mount_in in = {
		.flags = up->flags,
		.state = up->state.data,
		.state_len = up->state.len,
		.schema = up->old->ops->schema,
	};
	int err;

	bento_inject_damage(up->old->bm, op, up->state.data, up->state.len);
	err = bento_inst_start(up->new, op, &in);
	return err ?: up->new->root == up->old->root ? 0 : -EUCLEAN;
}

/*
 * All of it once with the gate open: what is wrong with the new build or with the state shows
 * before anybody has to wait, the blocks that the import reads are in memory afterwards, its
 * code has run before, and the buffer of the state is as large as it has to be.
 */
static int bento_upgrade_rehearse(struct bento_mount *bm, struct bento_upgrade *up)
{
	int tries = BENTO_REHEARSALS, err;

	do {
		up->step = "prepare";
		err = bento_prepare(bm, &up->state);
		if (err)
			break;
		up->step = "rehearsal of the import";
		err = bento_upgrade_import(up, BENTO_OP_TRY_IMPORT);
		bento_inst_destroy(up->new);
	} while (err && --tries && !READ_ONCE(up->new->failed));
	return err;
}

static int bento_upgrade_export(struct bento_upgrade *up)
{
	struct bento_inst *old = up->old;
	struct bento_call call __uninitialized;

	up->step = "export";
	up->state.len = 0;
	bento_enter_inst(&call, BENTO_OP_EXPORT, old);
	return bento_leave(&call, old->ops->export_state(&call.cx, old->fs, &up->state));
}

/*
 * With the gate closed: makes up->new ready to serve. An instance that fails here, in its
 * export or before, has to settle first, with the gate open.
 */
static int bento_upgrade_transfer(struct bento_upgrade *up)
{
	struct bento_inst *old = up->old;
	int err = 0;

	if (!READ_ONCE(old->failed)) {
		bento_log_take(old);
		err = bento_upgrade_export(up);
	}
	up->st.exported = ktime_get_ns();
	if (READ_ONCE(old->failed)) {
		up->kind = BENTO_EVENT_REPAIR;
		up->step = "repair";
		err = bento_settled(old->bm) ?
		      bento_repair(old, up->new, &up->orphans, up->flags) : -EIO;
	} else if (!err) {
		up->step = "import";
		err = bento_upgrade_import(up, BENTO_OP_IMPORT);
	}
	up->st.imported = ktime_get_ns();
	return err;
}

/* The gate is closed in short tries, and open between them. */
static int bento_upgrade_pause(struct bento_mount *bm, struct bento_upgrade *up)
{
	unsigned int ms = READ_ONCE(bm->drain_ms);
	bool boosted;
	int err;

	up->step = "drain";
	err = bento_gate_prepare(bm, ms);
	if (err)
		return err;
	boosted = bento_boost();
	err = bento_gate_close(bm, ms, &up->st);
	if (err)
		goto out;
	err = bento_upgrade_transfer(up);
	if (!err) {
		WRITE_ONCE(bm->inst, up->new);
		bento_offer_acls(bm->sb, up->new);
		bento_log_attach(bm, up->new);
		bm->sb->s_maxbytes = up->new->max_file_size;
	}
	bento_gate_open(bm);
	up->st.woken = ktime_get_ns();
out:
	bento_unboost(boosted);
	bento_gate_finish(bm);
	return err;
}

/* A failed instance settles first, also one that fails in the middle of this. */
static int bento_upgrade_replace(struct bento_mount *bm, struct bento_upgrade *up)
{
	int err = 0, tries = 2;

	do {
		if (READ_ONCE(up->old->failed)) {
			up->step = "waiting for file data on its way";
			err = bento_settle(bm);
		}
		if (!err)
			err = bento_upgrade_pause(bm, up);
	} while (err && --tries && READ_ONCE(up->old->failed) && !bento_settled(bm));
	return err;
}

static void bento_upgrade_done(struct bento_mount *bm, const struct bento_upgrade *up)
{
	const struct bento_stamps *st = &up->st;

	bento_history_add(bm, up->kind, up->old->build, up->new->build, 0, st->woken - st->kill,
			  NULL);
	if (up->kind == BENTO_EVENT_REMOUNT)
		return;
	bento_last_error(bm, "%s", "");
	if (up->kind == BENTO_EVENT_CHECK)
		return;
	bm->stamps = up->st;
	bm->pause_ns = up->st.woken - up->st.kill;
	atomic64_inc(&bm->upgrades);
	bento_info(bm, "%s %s %s -> %s: pause %llu us (drain %llu, export %llu, import %llu)",
		   up->kind == BENTO_EVENT_REPAIR ? "repaired" : "upgraded", bm->type->name,
		   up->old->build->version, up->new->build->version, bm->pause_ns / 1000,
		   (st->drained - st->kill) / 1000, (st->exported - st->drained) / 1000,
		   (st->imported - st->exported) / 1000);
}

/* What serves afterwards is not freed, and what does not is. */
static int bento_upgrade_run(struct bento_mount *bm, struct bento_upgrade *up)
{
	bool check = up->kind == BENTO_EVENT_CHECK;
	u64 begin = ktime_get_ns();
	int err = 0;

	if (!READ_ONCE(up->old->failed))
		err = bento_upgrade_rehearse(bm, up);
	bento_trace_phase(bm, "prepare", ktime_get_ns() - begin);
	/* A panic of the old instance there makes a repair of it. */
	if (!check && READ_ONCE(up->old->failed) && !READ_ONCE(up->new->failed)) {
		up->kind = BENTO_EVENT_REPAIR;
		err = 0;
	}
	if (!err && !check)
		err = bento_upgrade_replace(bm, up);
	if (err) {
		bento_upgrade_error(bm, up, err);
		bento_trace_phase(bm, "rollback", ktime_get_ns() - begin);
	} else {
		bento_upgrade_done(bm, up);
		if (!check)
			bento_trace_stamps(bm, &up->st);
	}
	bento_inst_free(err || check ? up->new : up->old);
	return err;
}

static int bento_upgrade_unfrozen(struct bento_mount *bm, struct bento_build *build,
				  struct bento_upgrade *up)
{
	int err = -ENOMEM;

	/* A frozen file system must not be written, which prepare() and repair do. */
	if (!sb_start_intwrite_trylock(bm->sb)) {
		bento_upgrade_refused(bm, build, up->kind, -EBUSY, "the file system is frozen");
		return -EBUSY;
	}
	up->old = bm->inst;
	up->new = bento_inst_alloc(bm, build);
	if (up->new) {
		WRITE_ONCE(bm->upgrading, true);
		bento_log_hold(bm);
		err = bento_upgrade_run(bm, up);
		bento_log_release(bm);
		WRITE_ONCE(bm->upgrading, false);
	}
	kvfree(up->state.data);
	sb_end_intwrite(bm->sb);
	return err;
}

/* With no lock held; the new instance serves already. */
static void bento_upgrade_end(struct bento_mount *bm, struct bento_upgrade *up, int err)
{
	if (up->kind == BENTO_EVENT_REPAIR && !err)
		bento_repair_walk(bm, &up->orphans);
	kfree(up->orphans.inos);
}

/*
 * An instance that was mounted read-only may rely on it. Before the mount becomes writable it
 * is replaced by one of the same build that knows. The caller keeps the mount in place.
 */
int bento_reopen_for_writing(struct bento_mount *bm)
{
	struct bento_upgrade up = {
		.kind = BENTO_EVENT_REMOUNT,
		.flags = bento_mount_flags(bm, false),
	};
	int err = 0;

	mutex_lock(&bm->upgrade_mutex);
	if (bento_failed(bm))
		err = -EIO;
	else if (bm->inst->rdonly)
		err = bento_upgrade_unfrozen(bm, bm->inst->build, &up);
	mutex_unlock(&bm->upgrade_mutex);
	bento_upgrade_end(bm, &up, err);
	return err;
}

int bento_upgrade(struct bento_mount *bm, struct bento_build *build, bool check)
{
	struct bento_upgrade up = {
		.kind = check ? BENTO_EVENT_CHECK : BENTO_EVENT_UPGRADE,
		.flags = bento_mount_flags(bm, sb_rdonly(bm->sb)),
	};
	int err;

	mutex_lock(&bm->upgrade_mutex);
	err = bento_upgrade_check(bm, build, up.kind);
	if (!err)
		err = bento_upgrade_unfrozen(bm, build, &up);
	mutex_unlock(&bm->upgrade_mutex);
	bento_upgrade_end(bm, &up, err);
	return err;
}

int bento_upgrade_by_name(struct bento_mount *bm, const char *name, bool check)
{
	struct bento_build *build;
	int err;

	build = bento_build_find(bm->type, name);
	if (IS_ERR(build)) {
		if (PTR_ERR(build) == -ENOTUNIQ)
			bento_err(bm, "upgrade: several loaded builds of %s have version %s; name the module",
				  bm->type->name, name);
		else
			bento_err(bm, "upgrade: no loaded build of %s is called %s, nor has that version",
				  bm->type->name, name);
		return PTR_ERR(build);
	}
	if (!bento_mount_get(bm)) {
		bento_build_put(build);
		return -ENODEV;
	}
	err = bento_upgrade(bm, build, check);
	bento_mount_put(bm);
	bento_build_put(build);
	return err;
}
