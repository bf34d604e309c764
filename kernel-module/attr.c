// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes: from the file system into struct inode, and back.
 *
 * struct inode is authoritative. What a caller sets is written through; times that change
 * by use are persisted by write_inode(). Link counts, sizes of directories and block
 * counts come from the file system after each operation that changes them.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/stat.h>

#include "bentofs_i.h"

static struct timespec64 bento_timespec(struct bento_time time)
{
	return (struct timespec64) { .tv_sec = time.sec, .tv_nsec = time.nsec };
}

static bool bento_time_ok(struct bento_time time)
{
	return time.nsec < NSEC_PER_SEC;
}

static bool bento_mode_ok(u32 mode)
{
	if (mode & ~(S_IFMT | S_IALLUGO))
		return false;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	}
	return false;
}

static bool bento_size_ok(struct bento_mount *bm, const struct bento_attr *attr)
{
	if (S_ISLNK(attr->mode))
		return attr->size > 0 && attr->size < PATH_MAX;
	if (S_ISREG(attr->mode))
		return attr->size <= (u64)bm->sb->s_maxbytes;
	return attr->size <= LLONG_MAX;
}

int bento_attr_check(struct bento_mount *bm, const struct bento_attr *attr, u64 ino)
{
	const char *what;

	if (!attr->ino || attr->ino != ino)
		what = "number";
	else if (!bento_mode_ok(attr->mode))
		what = "mode";
	else if (!bento_size_ok(bm, attr))
		what = "size";
	else if (!bento_time_ok(attr->atime) || !bento_time_ok(attr->mtime) ||
		 !bento_time_ok(attr->ctime) || !bento_time_ok(attr->btime))
		what = "time";
	else
		return 0;
	if (__ratelimit(&bm->log_limit))
		bento_err(bm, "inode %llu: impossible %s (number %llu, mode %o, size %llu); run fsck",
			  ino, what, attr->ino, attr->mode, attr->size);
	return -EUCLEAN;
}

static void bento_apply_blocks(struct inode *inode, const struct bento_attr *attr)
{
	spin_lock(&inode->i_lock);
	inode->i_blocks = attr->blocks;
	spin_unlock(&inode->i_lock);
}

void bento_attr_apply(struct inode *inode, const struct bento_attr *attr, enum bento_apply what)
{
	struct bento_inode *bi = BENTO_I(inode);

	if (inode->i_nlink != attr->nlink)
		set_nlink(inode, attr->nlink);
	bento_set_ctime(inode, bento_timespec(attr->ctime));
	bento_apply_blocks(inode, attr);
	/* A build that knows no extended attributes says nothing about those on disk. */
	WRITE_ONCE(bi->no_xattrs, !attr->xattrs &&
		   BENTO_M(inode->i_sb)->inst->ops->ops & BENTO_OPS_XATTR);
	if (what == BENTO_APPLY_LINKS)
		return;
	bento_set_mtime(inode, bento_timespec(attr->mtime));
	i_size_write(inode, attr->size);
	if (what == BENTO_APPLY_DIR)
		return;
	bento_set_atime(inode, bento_timespec(attr->atime));
	inode->i_mode = attr->mode;
	inode->i_generation = attr->generation;
	inode->i_rdev = new_decode_dev(attr->rdev);
	i_uid_write(inode, attr->uid);
	i_gid_write(inode, attr->gid);
	bi->btime = bento_timespec(attr->btime);
	bi->disk_size = attr->size;
	bento_flags_apply(inode, attr->flags);
	/* Spares writes the question for security.capability, and walks that for ACLs. */
	if (bi->no_xattrs) {
		inode_has_no_xattr(inode);
		cache_no_acl(inode);
	}
}

void bento_attr_refresh(struct bento_call *call, struct inode *inode, u64 node,
			enum bento_apply what)
{
	struct bento_attr attr = { };
	u32 op = call->cx.op;
	int err;

	call->cx.op = BENTO_OP_GETATTR;
	err = bento_ops(call)->getattr(&call->cx, call->fs, node, &attr);
	call->cx.op = op;
	if (!err && !bento_attr_check(call->bm, &attr, inode->i_ino))
		bento_attr_apply(inode, &attr, what);
}

int bento_leaf_setattr(struct inode *inode, const struct bento_setattr *set, u32 flags)
{
	u64 needs = BENTO_OPS_SETATTR | (set->mask & BENTO_SET_FLAGS ? BENTO_OPS_FLAGS : 0);
	struct bento_inode *bi = BENTO_I(inode);
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	do {
		err = bento_enter_inode(&call, BENTO_OP_SETATTR, flags, inode, &node);
		if (err)
			return err;
		if (tracepoint_enabled(op_enter))
			bento_trace_setattr(&call, inode->i_ino, set);
		err = -EPERM;
		if (bento_has(&call, needs))
			err = bento_ops(&call)->setattr(&call.cx, call.fs, node, set);
		if (set->mask & BENTO_SET_SIZE) {
			WRITE_ONCE(bi->map_seq, bi->map_seq + 1);
			if (!err) {
				WRITE_ONCE(bi->disk_size, set->size);
				bento_attr_refresh(&call, inode, node, BENTO_APPLY_LINKS);
			}
		}
		err = bento_leave(&call, err);
		/* What has begun is finished. */
		flags |= BENTO_ENTER_NOKILL;
		cond_resched();
	} while (err == -EAGAIN);
	return err;
}

static void bento_fill_setattr(bento_idmap *idmap, struct inode *inode, const struct iattr *attr,
			       struct bento_setattr *set)
{
	struct user_namespace *ns = i_user_ns(inode);
	unsigned int valid = attr->ia_valid;

	*set = (struct bento_setattr) { };
	if (valid & ATTR_MODE) {
		set->mask |= BENTO_SET_MODE;
		set->mode = attr->ia_mode & S_IALLUGO;
	}
	if (valid & ATTR_UID) {
		set->mask |= BENTO_SET_UID;
		set->uid = from_kuid(ns, from_vfsuid(idmap, ns, attr->ia_vfsuid));
	}
	if (valid & ATTR_GID) {
		set->mask |= BENTO_SET_GID;
		set->gid = from_kgid(ns, from_vfsgid(idmap, ns, attr->ia_vfsgid));
	}
	if (valid & ATTR_SIZE) {
		set->mask |= BENTO_SET_SIZE;
		set->size = attr->ia_size;
	}
	if (valid & ATTR_ATIME) {
		set->mask |= BENTO_SET_ATIME;
		set->atime = bento_time(attr->ia_atime);
	}
	if (valid & ATTR_MTIME) {
		set->mask |= BENTO_SET_MTIME;
		set->mtime = bento_time(attr->ia_mtime);
	}
	if (valid & ATTR_CTIME) {
		set->mask |= BENTO_SET_CTIME;
		set->ctime = bento_time(attr->ia_ctime);
	}
}

int bento_setattr(bento_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct bento_setattr set;
	int err = bento_may_write(inode) ?: setattr_prepare(idmap, dentry, attr);

	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE && attr->ia_size != i_size_read(inode) &&
	    !(attr->ia_valid & (ATTR_MTIME | ATTR_CTIME))) {
		/* truncate(2) leaves it to us; ftruncate(2) and O_TRUNC ask for it. */
		attr->ia_mtime = current_time(inode);
		attr->ia_ctime = attr->ia_mtime;
		attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	}
	bento_fill_setattr(idmap, inode, attr, &set);
	if (attr->ia_valid & ATTR_SIZE)
		err = S_ISREG(inode->i_mode) ? bento_truncate(inode, attr->ia_size, &set) : -EINVAL;
	else if (set.mask)
		err = bento_leaf_setattr(inode, &set, 0);
	if (err)
		return err;
	setattr_copy(idmap, inode, attr);
	/* Symbolic links have a mode that nobody looks at, and no ACL. */
	if (attr->ia_valid & ATTR_MODE && !S_ISLNK(inode->i_mode))
		err = bento_acl_chmod(idmap, dentry, inode->i_mode);
	return err;
}

int bento_getattr(bento_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int query_flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct block_device *bdev = inode->i_sb->s_bdev;
	int err = bento_may_read(inode);

	if (err)
		return err;
	bento_fillattr(idmap, request_mask, inode, stat);
	generic_fill_statx_attr(inode, stat);
	stat->attributes_mask |= STATX_ATTR_NODUMP;
	if (READ_ONCE(BENTO_I(inode)->flags) & BENTO_FLAG_NODUMP)
		stat->attributes |= STATX_ATTR_NODUMP;
	stat->btime = BENTO_I(inode)->btime;
	stat->result_mask |= STATX_BTIME;
	if (request_mask & STATX_DIOALIGN && S_ISREG(inode->i_mode) &&
	    BENTO_M(inode->i_sb)->mapped) {
		stat->result_mask |= STATX_DIOALIGN;
		stat->dio_mem_align = bdev_dma_alignment(bdev) + 1;
		stat->dio_offset_align = bdev_logical_block_size(bdev);
	}
	return 0;
}

/* Times that changed by use. Sizes move by commit(), everything else is written through. */
int bento_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	struct bento_setattr set = {
		.mask = BENTO_SET_ATIME | BENTO_SET_MTIME | BENTO_SET_CTIME,
		.atime = bento_time(bento_get_atime(inode)),
		.mtime = bento_time(bento_get_mtime(inode)),
		.ctime = bento_time(bento_get_ctime(inode)),
	};
	int err;

	/* Nobody will ask for the times of an inode without a name after a crash. */
	if (!inode->i_nlink)
		return 0;
	err = bento_leaf_setattr(inode, &set, BENTO_ENTER_NOKILL);
	return err == -EPERM ? 0 : err;
}
