// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: lookup, links, removal, rename, symbolic links.
 *
 * After each operation the attributes of all inodes that it touched are read back in the
 * same leaf call, so that nobody sees a link count that is not true any more.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/namei.h>
#include <linux/slab.h>

#include "bentofs_i.h"

/* The change has been made, and the VFS must see that: a failure to make it durable at once is
 * told by the file system and by the next fsync. */
void bento_dir_changed(struct inode *dir)
{
	if (IS_DIRSYNC(dir))
		bento_leaf_fsync(dir, false);
}

static struct dentry *bento_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = NULL;
	struct bento_call call __uninitialized;
	u64 node, ino = 0;
	int err;

	if (dentry->d_name.len > BENTO_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	err = bento_enter_inode(&call, BENTO_OP_LOOKUP, 0, dir, &node);
	if (err)
		return ERR_PTR(err);
	bento_trace(&call, dir->i_ino, BENTO_TRACE_QSTR(&dentry->d_name));
	err = bento_ops(&call)->lookup(&call.cx, call.fs, node, dentry->d_name.name,
				       dentry->d_name.len, &ino);
	call.made = ino;
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

/* ------------------------------------------------------------ links */

static int bento_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	bool nameless = !inode->i_nlink;
	struct bento_call call __uninitialized;
	u64 dir_node, node;
	int err;

	err = bento_enter_inode(&call, BENTO_OP_LINK, 0, dir, &dir_node);
	if (err)
		return err;
	bento_trace(&call, dir->i_ino, .a = inode->i_ino, BENTO_TRACE_QSTR(&dentry->d_name));
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
	/* Times that changed while it had no name were not written. */
	if (nameless)
		mark_inode_dirty_sync(inode);
	ihold(inode);
	d_instantiate(dentry, inode);
	bento_dir_changed(dir);
	return 0;
}

static int bento_remove(struct inode *dir, struct dentry *dentry, u32 op)
{
	const struct qstr *name = &dentry->d_name;
	struct inode *inode = d_inode(dentry);
	struct bento_call call __uninitialized;
	u64 dir_node, node;
	int err;

	err = bento_enter_inode(&call, op, 0, dir, &dir_node);
	if (err)
		return err;
	bento_trace(&call, dir->i_ino, .a = inode->i_ino, BENTO_TRACE_QSTR(name));
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
	struct bento_call call __uninitialized;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_NOREPLACE)
		in.flags |= BENTO_RENAME_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		in.flags |= BENTO_RENAME_EXCHANGE;
	if (flags & RENAME_WHITEOUT)
		in.flags |= BENTO_RENAME_WHITEOUT;
	err = bento_enter(&call, BENTO_OP_RENAME, 0, BENTO_M(old_dir->i_sb));
	if (err)
		return err;
	bento_trace(&call, old_dir->i_ino, .a = new_dir->i_ino, .b = r.inode->i_ino, .c = in.flags,
		    BENTO_TRACE_QSTR(&old->d_name), .name2 = new->d_name.name,
		    .name2_len = new->d_name.len);
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
	struct bento_call call __uninitialized;
	u64 node;
	int ret;

	ret = bento_enter_inode(&call, BENTO_OP_READLINK, 0, inode, &node);
	if (ret)
		return ret;
	bento_trace(&call, inode->i_ino);
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
	buf = kzalloc(PATH_MAX, GFP_KERNEL);
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
	.tmpfile = bento_tmpfile,
	.setattr = bento_setattr,
	.getattr = bento_getattr,
	.listxattr = bento_listxattr,
	.BENTO_GET_ACL = bento_get_acl,
	.set_acl = bento_set_acl,
	.fileattr_get = bento_fileattr_get,
	.fileattr_set = bento_fileattr_set,
};

const struct inode_operations bento_file_iops = {
	.setattr = bento_setattr,
	.getattr = bento_getattr,
	.listxattr = bento_listxattr,
	.BENTO_GET_ACL = bento_get_acl,
	.set_acl = bento_set_acl,
	.fileattr_get = bento_fileattr_get,
	.fileattr_set = bento_fileattr_set,
	.fiemap = bento_fiemap,
};

const struct inode_operations bento_symlink_iops = {
	.get_link = bento_get_link,
	.setattr = bento_setattr,
	.getattr = bento_getattr,
	.listxattr = bento_listxattr,
};

const struct inode_operations bento_special_iops = {
	.setattr = bento_setattr,
	.getattr = bento_getattr,
	.listxattr = bento_listxattr,
	.BENTO_GET_ACL = bento_get_acl,
	.set_acl = bento_set_acl,
};
