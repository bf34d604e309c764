// SPDX-License-Identifier: GPL-2.0-only
/*
 * New inodes, with and without a name.
 *
 * The VFS inode, the ACLs and the security label exist before the leaf call, so that nothing
 * can fail after it, and all of them get to the disk in one transaction.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/namei.h>
#include <linux/slab.h>

#include "bentofs_i.h"

/* What is to be made. */
struct bento_make {
	u32 op;				/* BENTO_OP_* */
	const struct qstr *name;	/* NULL: a file without a name */
	umode_t mode;
	dev_t rdev;
	const char *target;		/* of a symbolic link, else NULL */
};

static u64 bento_make_needs(u32 op)
{
	switch (op) {
	case BENTO_OP_MKDIR:
		return BENTO_OPS_MKDIR;
	case BENTO_OP_SYMLINK:
		return BENTO_OPS_SYMLINK;
	case BENTO_OP_TMPFILE:
		return BENTO_OPS_TMPFILE;
	default:
		return BENTO_OPS_CREATE;
	}
}

static int bento_make_call(struct bento_call *call, u64 dir, const struct bento_make_in *in,
			   struct bento_entry *out)
{
	const struct bento_fs_ops *ops = bento_ops(call);

	switch (call->cx.op) {
	case BENTO_OP_CREATE:
		return ops->create(&call->cx, call->fs, dir, in, out);
	case BENTO_OP_MKDIR:
		return ops->mkdir(&call->cx, call->fs, dir, in, out);
	case BENTO_OP_SYMLINK:
		return ops->symlink(&call->cx, call->fs, dir, in, out);
	case BENTO_OP_TMPFILE:
		return ops->tmpfile(&call->cx, call->fs, dir, in, out);
	default:
		return ops->mknod(&call->cx, call->fs, dir, in, out);
	}
}

/* What the file system made must be what was asked for. */
static int bento_make_check(struct bento_call *call, const struct bento_make_in *in,
			    const struct bento_attr *attr)
{
	bool named = call->cx.op != BENTO_OP_TMPFILE;
	int err = bento_attr_check(call->bm, attr, attr->ino);

	if (err)
		return err;
	if ((attr->mode & S_IFMT) == (in->mode & S_IFMT) && !!attr->nlink == named)
		return 0;
	bento_err(call->bm, "%s made inode %llu with mode %o and %u links instead of mode %o",
		  bento_op_name(call->cx.op), attr->ino, attr->mode, attr->nlink, in->mode);
	return -EIO;
}

/* May the file system of this call be asked for it? */
static int bento_make_allowed(const struct bento_call *call, const struct bento_make_in *in)
{
	if (!bento_has(call, bento_make_needs(call->cx.op)))
		return call->cx.op == BENTO_OP_TMPFILE ? -EOPNOTSUPP : -EPERM;
	return in->xattr_count && !bento_has(call, BENTO_OPS_XATTR) ? -EOPNOTSUPP : 0;
}

static int bento_make_leaf(struct inode *dir, struct inode *inode, u32 op,
			   const struct bento_make_in *in)
{
	struct bento_entry entry = { };
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	err = bento_enter_inode(&call, op, 0, dir, &node);
	if (err)
		return err;
	call.cx.uid = i_uid_read(inode);
	call.cx.gid = i_gid_read(inode);
	bento_trace(&call, dir->i_ino, .a = in->mode,
		    .b = call.cx.uid | (u64)call.cx.gid << 32, .c = in->rdev,
		    .name = in->name, .name_len = in->name_len,
		    .name2 = in->target, .name2_len = in->target_len);
	err = bento_make_allowed(&call, in);
	if (err)
		return bento_leave(&call, err);
	err = bento_make_call(&call, node, in, &entry);
	if (err)
		return bento_leave(&call, err);
	if (op != BENTO_OP_TMPFILE)
		bento_attr_refresh(&call, dir, node, BENTO_APPLY_DIR);
	err = bento_make_check(&call, in, &entry.attr);
	if (err) {
		bento_node_discard(&call, entry.node);
		return bento_leave(&call, err);
	}
	inode->i_ino = entry.attr.ino;
	call.made = entry.attr.ino;
	bento_attr_apply(inode, &entry.attr, BENTO_APPLY_ALL);
	bento_node_attach(&call, inode, entry.node);
	return bento_leave(&call, 0);
}

/* After a repair somebody may still hold an inode that is gone, and whose number is @inode's now. */
static bool bento_number_is_free(const struct inode *inode)
{
	struct inode *other = ilookup(inode->i_sb, inode->i_ino);
	bool gone;

	if (!other)
		return true;
	gone = bento_fresh(other) == -ESTALE;
	iput(other);
	return gone;
}

/* On disk, then into the inode hash. After an error nobody has seen @inode. */
static int bento_make_insert(struct inode *dir, struct inode *inode, const struct bento_make *make,
			     const struct bento_birth *birth)
{
	struct bento_make_in in = {
		.name = make->name ? make->name->name : NULL,
		.name_len = make->name ? make->name->len : 0,
		.target = (const u8 *)make->target,
		.target_len = make->target ? strlen(make->target) : 0,
		.mode = inode->i_mode,
		.rdev = new_encode_dev(make->rdev),
		.xattrs = birth->xattrs,
		.xattr_count = birth->count,
	};
	int err;

	if (make->target) {
		BENTO_I(inode)->link = kstrdup(make->target, GFP_KERNEL);
		if (!BENTO_I(inode)->link)
			return -ENOMEM;
	}
	err = bento_make_leaf(dir, inode, make->op, &in);
	if (err)
		return err;
	bento_inode_set_ops(inode);
	if (!insert_inode_locked(inode) ||
	    (bento_number_is_free(inode) && !insert_inode_locked(inode)))
		return 0;
	bento_err(BENTO_M(dir->i_sb), "%s gave inode %llu, which is in use already",
		  bento_op_name(make->op), (u64)inode->i_ino);
	/* Else it would be freed now. */
	set_nlink(inode, 1);
	return -EIO;
}

/* The new inode, locked (I_NEW), or ERR_PTR. */
static struct inode *bento_make(bento_idmap *idmap, struct inode *dir,
				const struct bento_make *make)
{
	struct inode *inode = new_inode(dir->i_sb);
	struct bento_birth birth;
	int err;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode_init_owner(idmap, inode, dir, make->mode);
	err = bento_birth_begin(&birth, dir, inode, make->name);
	if (!err)
		err = bento_make_insert(dir, inode, make, &birth);
	bento_birth_end(&birth, err ? NULL : inode);
	if (!err)
		return inode;
	iput(inode);
	return ERR_PTR(err);
}

/* ------------------------------------------------------------ with a name */

static int bento_make_named(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
			    struct bento_make *make)
{
	struct inode *inode;

	make->name = &dentry->d_name;
	inode = bento_make(idmap, dir, make);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_instantiate_new(dentry, inode);
	bento_dir_changed(dir);
	return 0;
}

int bento_create(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
		 umode_t mode BENTO_CREATE_EXCL)
{
	struct bento_make make = { .op = BENTO_OP_CREATE, .mode = mode | S_IFREG };

	return bento_make_named(idmap, dir, dentry, &make);
}

int bento_mknod(bento_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode,
		dev_t rdev)
{
	struct bento_make make = { .op = BENTO_OP_MKNOD, .mode = mode, .rdev = rdev };

	return bento_make_named(idmap, dir, dentry, &make);
}

BENTO_MKDIR_RET bento_mkdir(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
			    umode_t mode)
{
	struct bento_make make = { .op = BENTO_OP_MKDIR, .mode = mode | S_IFDIR };
	int err = bento_make_named(idmap, dir, dentry, &make);

	return bento_mkdir_ret(err);
}

int bento_symlink(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
		  const char *target)
{
	struct bento_make make = {
		.op = BENTO_OP_SYMLINK, .mode = S_IFLNK | 0777, .target = target,
	};

	if (strlen(target) >= PATH_MAX)
		return -ENAMETOOLONG;
	return bento_make_named(idmap, dir, dentry, &make);
}

/* ------------------------------------------------------------ without */

int bento_tmpfile(bento_idmap *idmap, struct inode *dir, struct file *file, umode_t mode)
{
	struct bento_make make = { .op = BENTO_OP_TMPFILE, .mode = mode | S_IFREG };
	struct inode *inode = bento_make(idmap, dir, &make);

	if (IS_ERR(inode))
		return finish_open_simple(file, PTR_ERR(inode));
	/* It counts one down. */
	set_nlink(inode, 1);
	d_tmpfile(file, inode);
	unlock_new_inode(inode);
	return finish_open_simple(file, 0);
}
