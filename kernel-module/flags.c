// SPDX-License-Identifier: GPL-2.0-only
/* Inode flags: what chattr(1) sets and the VFS enforces. */
#define pr_fmt(fmt) "bentofs: " fmt


#include "bentofs_i.h"

#define BENTO_FLAGS_ALL		(BENTO_FLAG_SYNC | BENTO_FLAG_IMMUTABLE | BENTO_FLAG_APPEND | \
				 BENTO_FLAG_NODUMP | BENTO_FLAG_NOATIME | BENTO_FLAG_DIRSYNC)

/* What the file system says goes to struct inode, where the VFS looks. */
void bento_flags_apply(struct inode *inode, u32 flags)
{
	unsigned int set = 0;

	BUILD_BUG_ON(BENTO_FLAGS_ALL != (FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL |
					 FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL));
	if (flags & BENTO_FLAG_SYNC)
		set |= S_SYNC;
	if (flags & BENTO_FLAG_IMMUTABLE)
		set |= S_IMMUTABLE;
	if (flags & BENTO_FLAG_APPEND)
		set |= S_APPEND;
	if (flags & BENTO_FLAG_NOATIME)
		set |= S_NOATIME;
	if (flags & BENTO_FLAG_DIRSYNC)
		set |= S_DIRSYNC;
	inode_set_flags(inode, set, S_SYNC | S_IMMUTABLE | S_APPEND | S_NOATIME | S_DIRSYNC);
	WRITE_ONCE(BENTO_I(inode)->flags, flags);
}

int bento_fileattr_get(struct dentry *dentry, bento_fileattr *fa)
{
	struct inode *inode = d_inode(dentry);
	int err = bento_may_read(inode);

	if (err)
		return err;
	if (!bento_offers(BENTO_M(inode->i_sb), BENTO_OPS_FLAGS))
		return -ENOIOCTLCMD;
	fileattr_fill_flags(fa, READ_ONCE(BENTO_I(inode)->flags));
	return 0;
}

/* The VFS holds i_rwsem and has checked who may. */
int bento_fileattr_set(bento_idmap *idmap, struct dentry *dentry, bento_fileattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct timespec64 now = current_time(inode);
	struct bento_setattr set = {
		.mask = BENTO_SET_FLAGS | BENTO_SET_CTIME,
		.flags = fa->flags,
		.ctime = bento_time(now),
	};
	int err = bento_may_write(inode);

	if (err)
		return err;
	if (fileattr_has_fsx(fa) || fa->flags & ~BENTO_FLAGS_ALL)
		return -EOPNOTSUPP;
	if (!bento_offers(BENTO_M(inode->i_sb), BENTO_OPS_SETATTR | BENTO_OPS_FLAGS))
		return -EOPNOTSUPP;
	err = bento_leaf_setattr(inode, &set, 0);
	if (err)
		return err;
	bento_flags_apply(inode, fa->flags);
	bento_set_ctime(inode, now);
	return 0;
}
