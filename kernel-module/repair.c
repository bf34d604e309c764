// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repair of a mount whose instance failed, which is an upgrade of it:
 *
 *	settle		a worker waits for those who still use what the failed instance answered,
 *			and empties the cache of its blocks; begins when the instance fails
 *	repair		with the gate closed: the new build mounts the device as after a crash, and
 *			the mount's epoch moves on, which makes all inodes in memory stale
 *	walk		with the gate open: inodes and names in use are fitted to what is on disk
 *
 * Whoever comes to a stale inode before the walk fits it himself (bento_fresh(), bento_node()), so
 * how long operations are held up does not depend on the number of inodes.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/buffer_head.h>
#include <linux/dcache.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "bentofs_i.h"

/*
 * The next inode behind @last that @wanted accepts, with a reference, for which that of @last is
 * given up: it keeps the place in the list. Those that are being freed or loaded look after
 * themselves.
 */
static struct inode *bento_next_inode(struct super_block *sb, struct inode *last,
				      bool (*wanted)(struct inode *))
{
	struct inode *inode, *found = NULL;

	spin_lock(&sb->s_inode_list_lock);
	inode = list_prepare_entry(last, &sb->s_inodes, i_sb_list);
	list_for_each_entry_continue(inode, &sb->s_inodes, i_sb_list) {
		if (!wanted(inode) || bento_inode_is_new(inode) || !igrab(inode))
			continue;
		found = inode;
		break;
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(last);
	cond_resched();
	return found;
}

/* ----------------------------------------------------------------- settle */

/* File data of it is on its way to the device. */
static bool bento_has_data_io(struct inode *inode)
{
	return mapping_tagged(inode->i_mapping, PAGECACHE_TAG_WRITEBACK) ||
	       atomic_read(&inode->i_dio_count);
}

static void bento_settle_data(struct bento_mount *bm)
{
	struct inode *inode = NULL;

	/* Those who looked for the failure before it came. */
	wait_event(bm->drain_wq, !atomic_read(&bm->writing));
	while ((inode = bento_next_inode(bm->sb, inode, bento_has_data_io))) {
		filemap_fdatawait_keep_errors(inode->i_mapping);
		inode_dio_wait(inode);
	}
}

static u32 bento_failed_number(struct bento_mount *bm)
{
	struct bento_inst *inst;
	u32 number;

	rcu_read_lock();
	inst = READ_ONCE(bm->inst);
	number = READ_ONCE(inst->failed) ? inst->number : 0;
	rcu_read_unlock();
	return number;
}

/*
 * File data may be on its way to places that recovery gives to others, so that has to end. The
 * gate is open: a failed instance maps nothing more, and all who ask get -EIO. Besides, what
 * takes long and can be done without the new instance is done here.
 */
static void bento_settle_work(struct work_struct *work)
{
	struct bento_mount *bm = container_of(work, struct bento_mount, settle_work);
	u32 number;

	/* Not during an unmount, which must find no reference of ours on an inode. */
	if (!bento_mount_get(bm))
		return;
	number = bento_failed_number(bm);
	if (number && number != READ_ONCE(bm->settled)) {
		/* Its grace period would be part of the repair. */
		percpu_ref_switch_to_atomic_sync(&bm->gate);
		bento_settle_data(bm);
		if (bm->sb->s_bdev)
			invalidate_bdev(bm->sb->s_bdev);
		WRITE_ONCE(bm->settled, number);
		wake_up_all(&bm->drain_wq);
	}
	bento_mount_put(bm);
}

void bento_repair_init(struct bento_mount *bm)
{
	INIT_WORK(&bm->settle_work, bento_settle_work);
}

void bento_settle_begin(struct bento_mount *bm)
{
	/* Nobody has seen a mount without a root. */
	if (READ_ONCE(bm->sb->s_root))
		queue_work(bento_mount_wq, &bm->settle_work);
}

/* So many times drain_ms is enough for the device, as in prepare.c. */
#define BENTO_SETTLE_FACTOR	10U

int bento_settle(struct bento_mount *bm)
{
	unsigned long limit = msecs_to_jiffies(READ_ONCE(bm->drain_ms)) * BENTO_SETTLE_FACTOR;
	long left;

	if (bento_settled(bm))
		return 0;
	bento_settle_begin(bm);
	left = wait_event_killable_timeout(bm->drain_wq, bento_settled(bm), limit);
	return left > 0 ? 0 : left ? -EINTR : -ETIMEDOUT;
}

/* ----------------------------------------------------------------- repair */

/*
 * The failed instance may have left half an operation in cached blocks: only the device is
 * trusted. Without references of per-CPU caches no block outlives its page.
 */
static void bento_distrust_blocks(struct super_block *sb)
{
	if (!sb->s_bdev)
		return;
	invalidate_bh_lrus();
	truncate_inode_pages(bento_bdev_mapping(sb->s_bdev), 0);
}

/* Is @ino in memory? Then its last user frees it, even if its inode counts links that are lost. */
static bool bento_orphan_used(struct bento_mount *bm, u64 ino)
{
	struct inode *inode;

	rcu_read_lock();
	inode = find_inode_by_ino_rcu(bm->sb, ino);
	if (inode)
		BENTO_I(inode)->orphan = true;
	rcu_read_unlock();
	return inode;
}

static bool bento_orphan_add(struct bento_orphans *orphans, u64 ino)
{
	u64 *more;

	more = krealloc(orphans->inos, (orphans->count + 1) * sizeof(ino), GFP_KERNEL);
	if (!more)
		return false;
	more[orphans->count++] = ino;
	orphans->inos = more;
	return true;
}

/*
 * A mount frees inodes without a name, but not a repair, for they may be in use. With the gate
 * closed nobody opens or makes one: those that are not in memory now are nobody's. What cannot be
 * remembered is left to the next mount.
 */
static void bento_collect_orphans(struct bento_inst *new, struct bento_orphans *orphans)
{
	struct bento_call call __uninitialized;
	u64 from = 1, ino;
	int err;

	if (new->rdonly || !(new->ops->ops & BENTO_OPS_ORPHANS))
		return;
	bento_enter_inst(&call, BENTO_OP_NEXT_ORPHAN, new);
	while (!(err = new->ops->next_orphan(&call.cx, new->fs, from, &ino)) && ino >= from) {
		if (!bento_orphan_used(new->bm, ino) && !bento_orphan_add(orphans, ino))
			break;
		from = ino + 1;
	}
	bento_leave(&call, err == -ENOENT ? 0 : err);
}

int bento_repair(struct bento_inst *old, struct bento_inst *new, struct bento_orphans *orphans,
		 u32 flags)
{
	struct bento_mount_in in = { .flags = BENTO_MOUNT_REPAIR | flags };
	struct bento_mount *bm = old->bm;
	int err;

	/* Its nodes are dropped when they are replaced, or after the repair. */
	bento_inst_end(old);
	bento_distrust_blocks(bm->sb);
	WRITE_ONCE(bm->epoch, bm->epoch + 1);
	err = bento_inst_start(new, BENTO_OP_MOUNT, &in);
	if (err)
		return err;
	if (new->root != old->root) {
		bento_err(bm, "repair: the root inode became %llu, was %llu", new->root, old->root);
		return -EUCLEAN;
	}
	bento_collect_orphans(new, orphans);
	if (READ_ONCE(new->failed))
		return -EIO;
	atomic_set(&bm->lost, 0);
	atomic_inc(&bm->walking);
	return 0;
}

/* ------------------------------------------------------------------- walk */

/* Does the directory on disk still have this entry? Only a clear "no" counts. */
static bool bento_dentry_stale(struct inode *dir, struct dentry *dentry)
{
	struct bento_call call __uninitialized;
	u64 node, ino = 0;
	int err;

	if (bento_is_bad(d_inode(dentry)))
		return true;
	err = bento_enter_inode(&call, BENTO_OP_LOOKUP, BENTO_ENTER_NOKILL, dir, &node);
	if (err)
		return err == -ESTALE;
	bento_trace(&call, dir->i_ino, BENTO_TRACE_QSTR(&dentry->d_name));
	err = bento_ops(&call)->lookup(&call.cx, call.fs, node, dentry->d_name.name,
				       dentry->d_name.len, &ino);
	err = bento_leave(&call, err);
	return err == -ENOENT || (!err && ino != d_inode(dentry)->i_ino);
}

/*
 * Names that are in use cannot be pruned: an open file may have been created, or renamed, by
 * an operation that recovery took back. Drops the names that are wrong now; the inode stays.
 */
static void bento_repair_names(struct inode *inode)
{
	struct dentry *dentry, *parent;
	bool stale = true;

	while (stale && (dentry = d_find_alias(inode))) {
		parent = dget_parent(dentry);
		inode_lock_shared(d_inode(parent));
		/* The lock keeps the name, if it is still there. */
		stale = !IS_ROOT(dentry) && dentry->d_parent == parent &&
			bento_dentry_stale(d_inode(parent), dentry);
		inode_unlock_shared(d_inode(parent));
		if (stale)
			d_invalidate(dentry);
		dput(parent);
		dput(dentry);
		cond_resched();
	}
}

/* In use, or with something to be written again. The others are fitted when they are used. */
static bool bento_walk_wants(struct inode *inode)
{
	return atomic_read(&inode->i_count) || inode->i_mapping->nrpages ||
	       bento_inode_state(inode) & I_DIRTY;
}

static void bento_walk_end(struct bento_mount *bm)
{
	/* Whoever syncs after the repair must find the pages that it dirties. */
	flush_workqueue(bento_wq);
	atomic_dec(&bm->walking);
	wake_up_all(&bm->gate_wq);
}

/* No lock is held: the last reference of an inode may free it on disk, which waits for a freeze. */
void bento_repair_walk(struct bento_mount *bm, struct bento_orphans *orphans)
{
	struct super_block *sb = bm->sb;
	struct inode *inode = NULL;
	struct timespec64 now;
	u32 i;

	ktime_get_coarse_real_ts64(&now);
	/* Most names and inodes are not in use: the next lookup finds what is there now. */
	shrink_dcache_sb(sb);
	while ((inode = bento_next_inode(sb, inode, bento_walk_wants))) {
		bento_fresh(inode);
		d_prune_aliases(inode);
		bento_repair_names(inode);
	}
	bento_walk_end(bm);
	shrink_dcache_sb(sb);
	for (i = 0; i < orphans->count && !bento_failed(bm); i++)
		bento_free_orphan(sb, orphans->inos[i], now);
	i = atomic_read(&bm->lost);
	if (i)
		bento_warn(bm, "%u inodes in use are lost: they were never synced", i);
}

void bento_repair_wait(struct bento_mount *bm)
{
	wait_event(bm->gate_wq, !atomic_read(&bm->walking));
}
