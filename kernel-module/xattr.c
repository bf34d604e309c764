// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended attributes.
 *
 * Most inodes have none: bi->no_xattrs says so for certain, and then nobody asks the file
 * system. It changes under i_rwsem held exclusively, as attributes do.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "bentofs_i.h"

/* Names are lists of at most this many bytes for all callers of listxattr(2). */
#define BENTO_XATTR_LIST_MAX	XATTR_LIST_MAX

/**
 * bento_getxattr() - the value of an extended attribute
 * @inode: any inode of a mount
 * @name: full name
 * @buf: where the value goes; kernel memory
 * @len: its size; 0 asks for the length alone
 *
 * Return: the length, -ENODATA, -ERANGE, -EOPNOTSUPP, or an error of the file system.
 */
int bento_getxattr(struct inode *inode, const char *name, void *buf, size_t len)
{
	struct bento_call call __uninitialized;
	u64 node;
	int ret;

	if (bento_has_no_xattrs(inode))
		return -ENODATA;
	len = min_t(size_t, len, BENTO_XATTR_SIZE_MAX);
	ret = bento_enter_inode(&call, BENTO_OP_GETXATTR, 0, inode, &node);
	if (ret)
		return ret;
	bento_trace(&call, inode->i_ino, .a = len, .name = name, .name_len = strlen(name));
	ret = -EOPNOTSUPP;
	if (bento_has(&call, BENTO_OPS_XATTR))
		ret = bento_ops(&call)->getxattr(&call.cx, call.fs, node, (const u8 *)name,
						 strlen(name), buf, len);
	ret = bento_leave(&call, ret);
	/* What it says must fit what it was given. */
	return ret > (int)BENTO_XATTR_SIZE_MAX || (len && ret > (int)len) ? -EIO : ret;
}

/* Inside a leaf call. @in->value NULL with @remove: takes it away. */
static int bento_change_xattr(struct bento_call *call, u64 node, const struct bento_xattr *in,
			      u32 flags, bool remove)
{
	if (!bento_has(call, BENTO_OPS_XATTR))
		return -EOPNOTSUPP;
	if (remove)
		return bento_ops(call)->removexattr(&call->cx, call->fs, node, in->name,
						    in->name_len);
	return bento_ops(call)->setxattr(&call->cx, call->fs, node, in, flags);
}

/**
 * bento_setxattr() - sets or removes an extended attribute
 * @inode: any inode of a mount; its i_rwsem is held exclusively
 * @name: full name
 * @value: kernel memory; NULL removes the attribute
 * @len: its length
 * @flags: XATTR_CREATE, XATTR_REPLACE
 * @mode: permission bits that change with it, or NULL; a transaction of its own
 *
 * Return: 0, -EEXIST, -ENODATA, -ENOSPC, -E2BIG, -EOPNOTSUPP or another error.
 */
int bento_setxattr(struct inode *inode, const char *name, const void *value, size_t len,
		   int flags, const umode_t *mode)
{
	struct bento_xattr in = {
		.name = (const u8 *)name, .name_len = strlen(name),
		.value = len ? value : NULL, .value_len = len,
	};
	struct bento_setattr set = { .mask = BENTO_SET_MODE, .mode = mode ? *mode & S_IALLUGO : 0 };
	struct bento_call call __uninitialized;
	u32 how = 0;
	u64 node;
	int err;

	BUILD_BUG_ON(XATTR_SIZE_MAX != BENTO_XATTR_SIZE_MAX);
	err = bento_may_write(inode);
	if (err)
		return err;
	if (in.name_len > BENTO_XATTR_NAME_MAX)
		return -ERANGE;
	if (flags & XATTR_CREATE)
		how |= BENTO_XATTR_CREATE;
	if (flags & XATTR_REPLACE)
		how |= BENTO_XATTR_REPLACE;
	err = bento_enter_inode(&call, value ? BENTO_OP_SETXATTR : BENTO_OP_REMOVEXATTR, 0, inode,
				&node);
	if (err)
		return err;
	bento_trace(&call, inode->i_ino, .a = how, .b = len, .name = name, .name_len = in.name_len,
		    .name2 = in.value, .name2_len = in.value_len);
	err = bento_change_xattr(&call, node, &in, how, !value);
	if (err)
		return bento_leave(&call, err);
	if (mode) {
		call.cx.op = BENTO_OP_SETATTR;
		err = -EPERM;
		if (bento_has(&call, BENTO_OPS_SETATTR))
			err = bento_ops(&call)->setattr(&call.cx, call.fs, node, &set);
		call.cx.op = BENTO_OP_SETXATTR;
	}
	bento_attr_refresh(&call, inode, node, BENTO_APPLY_LINKS);
	return bento_leave(&call, err);
}

/* ----------------------------------------------------------------- handlers */

static int bento_handler_get(const struct xattr_handler *handler, struct dentry *dentry,
			     struct inode *inode, const char *name, void *buf, size_t len)
{
	return bento_getxattr(inode, xattr_full_name(handler, name), buf, len);
}

static int bento_handler_set(const struct xattr_handler *handler, bento_idmap *idmap,
			     struct dentry *dentry, struct inode *inode, const char *name,
			     const void *value, size_t len, int flags)
{
	return bento_setxattr(inode, xattr_full_name(handler, name), value, len, flags, NULL);
}

#define BENTO_XATTR_HANDLER(kind, text)						\
	static const struct xattr_handler bento_##kind##_xattrs = {		\
		.prefix = text,							\
		.get = bento_handler_get,					\
		.set = bento_handler_set,					\
	}

BENTO_XATTR_HANDLER(user, XATTR_USER_PREFIX);
BENTO_XATTR_HANDLER(trusted, XATTR_TRUSTED_PREFIX);
BENTO_XATTR_HANDLER(security, XATTR_SECURITY_PREFIX);

bento_xattr_handlers bento_xattrs[] = {
	&bento_user_xattrs,
	&bento_trusted_xattrs,
	&bento_security_xattrs,
	BENTO_ACL_XATTR_HANDLERS
	NULL
};

/* ------------------------------------------------------------------ listing */

static int bento_leaf_listxattr(struct inode *inode, char *buf, u32 len)
{
	struct bento_call call __uninitialized;
	u64 node;
	int ret;

	ret = bento_enter_inode(&call, BENTO_OP_LISTXATTR, 0, inode, &node);
	if (ret)
		return ret;
	bento_trace(&call, inode->i_ino, .a = len);
	ret = 0;
	if (bento_has(&call, BENTO_OPS_XATTR))
		ret = bento_ops(&call)->listxattr(&call.cx, call.fs, node, (u8 *)buf, len);
	ret = bento_leave(&call, ret);
	return len && ret > (int)len ? -EIO : ret;
}

/* May the caller know of this attribute? */
static bool bento_may_list(const char *name)
{
	if (!strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN))
		return capable(CAP_SYS_ADMIN);
	return true;
}

/* Drops from @names what the caller may not know. Returns what is left, -EUCLEAN for garbage. */
static int bento_filter_names(char *names, int len)
{
	int from = 0, to = 0, size;

	while (from < len) {
		size = strnlen(names + from, len - from) + 1;
		if (size == 1 || size > len - from)
			return -EUCLEAN;
		if (bento_may_list(names + from)) {
			memmove(names + to, names + from, size);
			to += size;
		}
		from += size;
	}
	return to;
}

ssize_t bento_listxattr(struct dentry *dentry, char *buf, size_t len)
{
	struct inode *inode = d_inode(dentry);
	char *names;
	int ret;

	if (bento_has_no_xattrs(inode))
		return bento_may_read(inode);
	/* Zeroed here and wherever users see a buffer that a file system says it has filled. */
	names = kvzalloc(BENTO_XATTR_LIST_MAX, GFP_KERNEL);
	if (!names)
		return -ENOMEM;
	ret = bento_leaf_listxattr(inode, names, BENTO_XATTR_LIST_MAX);
	if (ret > 0)
		ret = bento_filter_names(names, ret);
	if (ret == -EUCLEAN)
		bento_damaged(BENTO_M(inode->i_sb));
	if (ret > 0 && len) {
		if (ret > len)
			ret = -ERANGE;
		else
			memcpy(buf, names, ret);
	}
	kvfree(names);
	return ret;
}
