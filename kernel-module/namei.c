// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: lookup, creation, removal, rename, symbolic links.
 *
 * After each operation the attributes of all inodes that it touched are read back in the
 * same leaf call, so that nobody sees a link count that is not true any more.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/namei.h>
#include <linux/slab.h>

#include "bentofs_i.h"

static struct dentry *bento_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = NULL;
	struct bento_call call;
	u64 node, ino = 0;
	int err;

	if (dentry->d_name.len > BENTO_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	err = bento_enter_inode(&call, BENTO_OP_LOOKUP, 0, dir, &node);
	if (err)
		return ERR_PTR(err);
	err = bento_ops(&call)->lookup(&call.cx, call.fs, node, dentry->d_name.name,
				       dentry->d_name.len, &ino);
	err = bento_leave(&call, err);
	if (err && err != -ENOENT)
		return ERR_PTR(err);
	if (!err) {
		inode = bento_iget(dir->i_sb, ino);
		if (inode == ERR_PTR(-ESTALE)) {
			bento_err(BENTO_M(dir->i_sb),
				  "directory %llu names inode %llu, which does not exist; run fsck",
				  (u64)dir->i_ino, ino);
			bento_damaged(BENTO_M(dir->i_sb));
			inode = ERR_PTR(-EUCLEAN);
		}
	}
	return d_splice_alias(inode, dentry);
}

/* ------------------------------------------------------------ new inodes */

static u64 bento_make_needs(u32 op)
{
	switch (op) {
	case BENTO_OP_MKDIR:
		return BENTO_OPS_MKDIR;
	case BENTO_OP_SYMLINK:
		return BENTO_OPS_SYMLINK;
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
	default:
		return ops->mknod(&call->cx, call->fs, dir, in, out);
	}
}

/* What the file system made must be what was asked for. */
static int bento_make_check(struct bento_call *call, const struct bento_make_in *in,
			    const struct bento_attr *attr)
{
	int err = bento_attr_check(call->bm, attr, attr->ino);

	if (err)
		return err;
	if ((attr->mode & S_IFMT) == (in->mode & S_IFMT) && attr->nlink)
		return 0;
	bento_err(call->bm, "%s made inode %llu with mode %o and %u links instead of mode %o",
		  bento_op_name(call->cx.op), attr->ino, attr->mode, attr->nlink, in->mode);
	return -EIO;
}

static int bento_make_leaf(struct inode *dir, struct inode *inode, u32 op,
			   const struct bento_make_in *in)
{
	struct bento_entry entry = { };
	struct bento_call call;
	u64 node;
	int err;

	err = bento_enter_inode(&call, op, 0, dir, &node);
	if (err)
		return err;
	if (!bento_has(&call, bento_make_needs(op)))
		return bento_leave(&call, -EPERM);
	call.cx.uid = i_uid_read(inode);
	call.cx.gid = i_gid_read(inode);
	err = bento_make_call(&call, node, in, &entry);
	if (err)
		return bento_leave(&call, err);
	bento_attr_refresh(&call, dir, node, BENTO_APPLY_DIR);
	err = bento_make_check(&call, in, &entry.attr);
	if (err) {
		bento_node_discard(&call, entry.node);
		return bento_leave(&call, err);
	}
	inode->i_ino = entry.attr.ino;
	bento_attr_apply(inode, &entry.attr, BENTO_APPLY_ALL);
	bento_node_attach(&call, inode, entry.node);
	return bento_leave(&call, 0);
}

/* The change has been made, and the VFS must see that: a failure to make it durable at once is
 * told by the file system and by the next fsync. */
static void bento_dir_changed(struct inode *dir)
{
	if (IS_DIRSYNC(dir))
		bento_leaf_fsync(dir, false);
}

/* The VFS inode exists before the call, so that nothing can fail after it. */
static int bento_make(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode, dev_t rdev, const char *target, u32 op)
{
	struct bento_make_in in = {
		.name = dentry->d_name.name,
		.name_len = dentry->d_name.len,
		.target = (const u8 *)target,
		.target_len = target ? strlen(target) : 0,
		.rdev = new_encode_dev(rdev),
	};
	struct inode *inode = new_inode(dir->i_sb);
	int err;

	if (!inode)
		return -ENOMEM;
	inode_init_owner(idmap, inode, dir, mode);
	in.mode = inode->i_mode;
	if (target) {
		err = -ENOMEM;
		BENTO_I(inode)->link = kstrdup(target, GFP_KERNEL);
		if (!BENTO_I(inode)->link)
			goto drop;
	}
	err = bento_make_leaf(dir, inode, op, &in);
	if (err)
		goto drop;
	bento_inode_set_ops(inode);
	if (insert_inode_locked(inode)) {
		bento_err(BENTO_M(dir->i_sb), "%s gave inode %llu, which is in use already",
			  bento_op_name(op), (u64)inode->i_ino);
		err = -EIO;
		goto drop;
	}
	d_instantiate_new(dentry, inode);
	bento_dir_changed(dir);
	return 0;
drop:
	iput(inode);
	return err;
}

static int bento_create(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode BENTO_CREATE_EXCL)
{
	return bento_make(idmap, dir, dentry, mode | S_IFREG, 0, NULL, BENTO_OP_CREATE);
}

static int bento_mknod(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, dev_t rdev)
{
	return bento_make(idmap, dir, dentry, mode, rdev, NULL, BENTO_OP_MKNOD);
}

static BENTO_MKDIR_RET bento_mkdir(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
				   umode_t mode)
{
	int err = bento_make(idmap, dir, dentry, mode | S_IFDIR, 0, NULL, BENTO_OP_MKDIR);

	return bento_mkdir_ret(err);
}

static int bento_symlink(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 const char *target)
{
	if (strlen(target) >= PATH_MAX)
		return -ENAMETOOLONG;
	return bento_make(idmap, dir, dentry, S_IFLNK | 0777, 0, target, BENTO_OP_SYMLINK);
}

/* ------------------------------------------------------------ links */

static int bento_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct bento_call call;
	u64 dir_node, node;
	int err;

	err = bento_enter_inode(&call, BENTO_OP_LINK, 0, dir, &dir_node);
	if (err)
		return err;
	err = bento_node(&call, inode, &node);
	if (!err && !bento_has(&call, BENTO_OPS_LINK))
		err = -EPERM;
	if (!err)
		err = bento_ops(&call)->link(&call.cx, call.fs, node, dir_node,
					     dentry->d_name.name, dentry->d_name.len);
	if (!err) {
		bento_attr_refresh(&call, dir, dir_node, BENTO_APPLY_DIR);
		bento_attr_refresh(&call, inode, node, BENTO_APPLY_LINKS);
	}
	err = bento_leave(&call, err);
	if (err)
		return err;
	ihold(inode);
	d_instantiate(dentry, inode);
	bento_dir_changed(dir);
	return 0;
}

static int bento_remove(struct inode *dir, struct dentry *dentry, u32 op)
{
	const struct qstr *name = &dentry->d_name;
	struct inode *inode = d_inode(dentry);
	struct bento_call call;
	u64 dir_node, node;
	int err;

	err = bento_enter_inode(&call, op, 0, dir, &dir_node);
	if (err)
		return err;
	err = bento_node(&call, inode, &node);
	if (err)
		return bento_leave(&call, err);
	if (!bento_has(&call, op == BENTO_OP_RMDIR ? BENTO_OPS_MKDIR : BENTO_OPS_UNLINK))
		err = -EPERM;
	else if (op == BENTO_OP_RMDIR)
		err = bento_ops(&call)->rmdir(&call.cx, call.fs, dir_node, name->name, name->len,
					      node);
	else
		err = bento_ops(&call)->unlink(&call.cx, call.fs, dir_node, name->name, name->len,
					       node);
	if (!err) {
		bento_attr_refresh(&call, dir, dir_node, BENTO_APPLY_DIR);
		bento_attr_refresh(&call, inode, node, BENTO_APPLY_LINKS);
	}
	err = bento_leave(&call, err);
	if (!err)
		bento_dir_changed(dir);
	return err;
}

static int bento_unlink(struct inode *dir, struct dentry *dentry)
{
	return bento_remove(dir, dentry, BENTO_OP_UNLINK);
}

static int bento_rmdir(struct inode *dir, struct dentry *dentry)
{
	return bento_remove(dir, dentry, BENTO_OP_RMDIR);
}

/* ------------------------------------------------------------ rename */

/* The inodes of a rename; @replaced may be NULL. */
struct bento_rename {
	struct inode *old_dir;
	struct inode *new_dir;
	struct inode *inode;
	struct inode *replaced;
};

static int bento_rename_nodes(struct bento_call *call, const struct bento_rename *r,
			      struct bento_rename_in *in)
{
	int err = bento_node(call, r->old_dir, &in->old_dir);

	if (!err)
		err = bento_node(call, r->new_dir, &in->new_dir);
	if (!err)
		err = bento_node(call, r->inode, &in->node);
	if (!err && r->replaced)
		err = bento_node(call, r->replaced, &in->replaced);
	return err;
}

static void bento_rename_refresh(struct bento_call *call, const struct bento_rename *r,
				 const struct bento_rename_in *in)
{
	bento_attr_refresh(call, r->old_dir, in->old_dir, BENTO_APPLY_DIR);
	if (r->new_dir != r->old_dir)
		bento_attr_refresh(call, r->new_dir, in->new_dir, BENTO_APPLY_DIR);
	bento_attr_refresh(call, r->inode, in->node, BENTO_APPLY_LINKS);
	if (r->replaced)
		bento_attr_refresh(call, r->replaced, in->replaced, BENTO_APPLY_LINKS);
}

static int bento_rename(bento_idmap *idmap, struct inode *old_dir, struct dentry *old,
			struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	struct bento_rename r = {
		.old_dir = old_dir, .new_dir = new_dir,
		.inode = d_inode(old), .replaced = d_inode(new),
	};
	struct bento_rename_in in = {
		.old_name = old->d_name.name, .old_name_len = old->d_name.len,
		.new_name = new->d_name.name, .new_name_len = new->d_name.len,
	};
	struct bento_call call;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (flags & RENAME_NOREPLACE)
		in.flags |= BENTO_RENAME_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		in.flags |= BENTO_RENAME_EXCHANGE;
	err = bento_enter(&call, BENTO_OP_RENAME, 0, BENTO_M(old_dir->i_sb));
	if (err)
		return err;
	err = bento_rename_nodes(&call, &r, &in);
	if (!err && !bento_has(&call, BENTO_OPS_RENAME))
		err = -EPERM;
	if (!err)
		err = bento_ops(&call)->rename(&call.cx, call.fs, &in);
	if (!err)
		bento_rename_refresh(&call, &r, &in);
	err = bento_leave(&call, err);
	if (err)
		return err;
	bento_dir_changed(new_dir);
	if (old_dir != new_dir)
		bento_dir_changed(old_dir);
	return 0;
}

/* ------------------------------------------------------------ symbolic links */

static int bento_leaf_readlink(struct inode *inode, char *buf)
{
	struct bento_call call;
	u64 node;
	int ret;

	ret = bento_enter_inode(&call, BENTO_OP_READLINK, 0, inode, &node);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (bento_has(&call, BENTO_OPS_SYMLINK))
		ret = bento_ops(&call)->readlink(&call.cx, call.fs, node, (u8 *)buf, PATH_MAX);
	ret = bento_leave(&call, ret);
	if (ret >= 0 && (!ret || ret >= PATH_MAX || memchr(buf, 0, ret))) {
		bento_damaged(BENTO_M(inode->i_sb));
		ret = -EUCLEAN;
	}
	return ret;
}

/* Only the first walk comes here: afterwards the VFS finds i_link, also in RCU mode. */
static const char *bento_get_link(struct dentry *dentry, struct inode *inode,
				  struct delayed_call *done)
{
	struct bento_inode *bi = BENTO_I(inode);
	char *buf, *link;
	int len;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	len = bento_leaf_readlink(inode, buf);
	link = len < 0 ? ERR_PTR(len) : kmemdup_nul(buf, len, GFP_KERNEL);
	kfree(buf);
	if (!link)
		return ERR_PTR(-ENOMEM);
	if (IS_ERR(link))
		return link;
	/* Another walk may have been faster. */
	if (cmpxchg(&bi->link, NULL, link))
		kfree(link);
	link = READ_ONCE(bi->link);
	smp_store_release(&inode->i_link, link);
	return link;
}

/* ------------------------------------------------------------ tables */

static int bento_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len)
{
	int ret;

	if (!BENTO_M(inode->i_sb)->mapped)
		return -EOPNOTSUPP;
	inode_lock_shared(inode);
	ret = iomap_fiemap(inode, info, start, len, &bento_iomap_ops);
	inode_unlock_shared(inode);
	return ret;
}

const struct inode_operations bento_dir_iops = {
	.lookup = bento_lookup,
	.create = bento_create,
	.mknod = bento_mknod,
	.mkdir = bento_mkdir,
	.symlink = bento_symlink,
	.link = bento_link,
	.unlink = bento_unlink,
	.rmdir = bento_rmdir,
	.rename = bento_rename,
	.setattr = bento_setattr,
	.getattr = bento_getattr,
};

const struct inode_operations bento_file_iops = {
	.setattr = bento_setattr,
	.getattr = bento_getattr,
	.fiemap = bento_fiemap,
};

const struct inode_operations bento_symlink_iops = {
	.get_link = bento_get_link,
	.setattr = bento_setattr,
	.getattr = bento_getattr,
};

const struct inode_operations bento_special_iops = {
	.setattr = bento_setattr,
	.getattr = bento_getattr,
};
