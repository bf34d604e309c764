// SPDX-License-Identifier: GPL-2.0-only
/*
 * File handles, for NFS servers and open_by_handle_at(2): inode number and generation, and
 * the same of the parent where that is asked for.
 *
 * A handle is data from outside. Whatever it says, the answer is the inode that it was made
 * for or -ESTALE.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/exportfs.h>

#include "bentofs_i.h"

/* Words of the two kinds of handles: FILEID_INO64_GEN, FILEID_INO64_GEN_PARENT. */
#define BENTO_FH_WORDS		3
#define BENTO_FH_PARENT_WORDS	6

static void bento_fh_put(__u32 *fh, const struct inode *inode)
{
	u64 ino = inode->i_ino;

	memcpy(fh, &ino, sizeof(ino));
	fh[2] = inode->i_generation;
}

static int bento_encode_fh(struct inode *inode, __u32 *fh, int *max_len, struct inode *parent)
{
	int words = parent ? BENTO_FH_PARENT_WORDS : BENTO_FH_WORDS;
	bool fits = *max_len >= words;

	*max_len = words;
	if (!fits)
		return FILEID_INVALID;
	bento_fh_put(fh, inode);
	if (!parent)
		return BENTO_FILEID;
	bento_fh_put(fh + BENTO_FH_WORDS, parent);
	return BENTO_FILEID_PARENT;
}

/* The dentry of the inode in @fh, which has three words. */
static struct dentry *bento_fh_get(struct super_block *sb, const __u32 *fh)
{
	struct inode *inode;
	u64 ino;

	memcpy(&ino, fh, sizeof(ino));
	if (!ino)
		return ERR_PTR(-ESTALE);
	inode = bento_iget(sb, ino);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	if (inode->i_generation != fh[2]) {
		iput(inode);
		return ERR_PTR(-ESTALE);
	}
	return d_obtain_alias(inode);
}

static struct dentry *bento_fh_to_dentry(struct super_block *sb, struct fid *fid, int fh_len,
					 int fh_type)
{
	if (fh_type != BENTO_FILEID && fh_type != BENTO_FILEID_PARENT)
		return NULL;
	return fh_len < BENTO_FH_WORDS ? NULL : bento_fh_get(sb, fid->raw);
}

static struct dentry *bento_fh_to_parent(struct super_block *sb, struct fid *fid, int fh_len,
					 int fh_type)
{
	if (fh_type != BENTO_FILEID_PARENT || fh_len < BENTO_FH_PARENT_WORDS)
		return NULL;
	return bento_fh_get(sb, fid->raw + BENTO_FH_WORDS);
}

/* To connect a directory that was found by its handle. */
static struct dentry *bento_get_parent(struct dentry *child)
{
	struct inode *dir = d_inode(child);
	struct bento_call call __uninitialized;
	u64 node, ino = 0;
	int err;

	err = bento_enter_inode(&call, BENTO_OP_PARENT, 0, dir, &node);
	if (err)
		return ERR_PTR(err);
	bento_trace(&call, dir->i_ino);
	err = -ESTALE;
	if (bento_has(&call, BENTO_OPS_EXPORT))
		err = bento_ops(&call)->parent(&call.cx, call.fs, node, &ino);
	call.made = ino;
	err = bento_leave(&call, err);
	return err ? ERR_PTR(err) : d_obtain_alias(bento_iget(dir->i_sb, ino));
}

/* What an NFS server has answered must survive a crash. */
static int bento_commit_metadata(struct inode *inode)
{
	int err = sync_inode_metadata(inode, 1);

	return err ? err : bento_leaf_fsync(inode, false);
}

const struct export_operations bento_export_ops = {
	.encode_fh = bento_encode_fh,
	.fh_to_dentry = bento_fh_to_dentry,
	.fh_to_parent = bento_fh_to_parent,
	.get_parent = bento_get_parent,
	.commit_metadata = bento_commit_metadata,
};
