// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repair of a mount whose instance failed, which is an upgrade of it: the new build mounts the
 * device as after a crash, and inodes and names in use are fitted to what it finds.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/dcache.h>

#include "bentofs_i.h"

/* References on all inodes in use; those that are being freed or loaded look after themselves. */
static void bento_walk_collect(struct bento_mount *bm, struct bento_walk *walk)
{
	struct super_block *sb = bm->sb;
	struct inode *inode;

	INIT_LIST_HEAD(&walk->inodes);
	walk->lost = 0;
	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (bento_inode_is_new(inode) || is_bad_inode(inode) || !igrab(inode))
			continue;
		list_add_tail(&BENTO_I(inode)->walk_link, &walk->inodes);
	}
	spin_unlock(&sb->s_inode_list_lock);
}

static void bento_repair_inode(struct bento_inst *inst, struct inode *inode,
			       struct bento_walk *walk)
{
	struct bento_entry entry = {};
	struct bento_call call;
	int err;

	bento_enter_inst(&call, BENTO_OP_LOAD, inst);
	err = inst->ops->load(&call.cx, inst->fs, inode->i_ino, &entry);
	if (!err && (entry.attr.generation != inode->i_generation ||
		     (entry.attr.mode & S_IFMT) != (inode->i_mode & S_IFMT)))
		err = -ESTALE;
	if (entry.node) {
		if (err)
			bento_node_discard(&call, entry.node);
		else
			bento_node_attach(&call, inode, entry.node);
	}
	bento_leave(&call, err);
	if (err)
		walk->lost++;
	bento_inode_repair(inode, &entry.attr, err);
}

/* The gate is closed: no call is inside, and none of our locks may be waited for. */
static void bento_walk_repair(struct bento_inst *inst, struct bento_walk *walk)
{
	struct bento_inode *bi;

	list_for_each_entry(bi, &walk->inodes, walk_link) {
		bento_repair_inode(inst, &bi->vfs_inode, walk);
		cond_resched();
	}
}

/* Does the directory on disk still have this entry? Only a clear "no" counts. */
static bool bento_dentry_stale(struct inode *dir, struct dentry *dentry)
{
	struct bento_call call;
	u64 node, ino = 0;
	int err;

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

/* Outside the gate: the last reference of an inode may free it on disk. */
void bento_walk_end(struct bento_walk *walk)
{
	struct bento_inode *bi, *next;

	list_for_each_entry_safe(bi, next, &walk->inodes, walk_link) {
		list_del_init(&bi->walk_link);
		d_prune_aliases(&bi->vfs_inode);
		bento_repair_names(&bi->vfs_inode);
		iput(&bi->vfs_inode);
		cond_resched();
	}
}

/* With the gate closed. After a failure the mount stays FAILED, with an empty instance. */
int bento_repair(struct bento_inst *old, struct bento_inst *new, struct bento_walk *walk,
			u32 flags)
{
	struct bento_mount_in in = { .flags = BENTO_MOUNT_REPAIR | flags };
	struct bento_mount *bm = old->bm;
	int err;

	bento_inst_destroy(old);
	/* It may have left half an operation in cached blocks: only the device is trusted. */
	bento_forget_blocks(bm->sb);
	err = bento_inst_start(new, BENTO_OP_MOUNT, &in);
	if (err)
		return err;
	if (new->root != old->root) {
		bento_err(bm, "repair: the root inode became %llu, was %llu", new->root, old->root);
		return -EUCLEAN;
	}
	bento_walk_collect(bm, walk);
	bento_walk_repair(new, walk);
	return READ_ONCE(new->failed) ? -EIO : 0;
}
