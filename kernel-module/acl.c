// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX ACLs, and what else a new inode is born with: the security label.
 *
 * An ACL is an extended attribute in the format of user space. The kernel checks it, and
 * caches it in the inode.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/security.h>
#include <linux/slab.h>

#include "bentofs_i.h"

static const char *bento_acl_name(int type)
{
	return type == ACL_TYPE_ACCESS ? XATTR_NAME_POSIX_ACL_ACCESS : XATTR_NAME_POSIX_ACL_DEFAULT;
}

/* The attribute, in memory that the caller frees; its length in @len. NULL: there is none. */
static void *bento_acl_read(struct inode *inode, const char *name, int *len)
{
	void *value;
	int ret;

	/* It may grow between the two questions. */
	do {
		ret = bento_getxattr(inode, name, NULL, 0);
		if (ret == -ENODATA || ret == -EOPNOTSUPP || !ret)
			return NULL;
		if (ret < 0)
			return ERR_PTR(ret);
		value = kvmalloc(ret, GFP_KERNEL);
		if (!value)
			return ERR_PTR(-ENOMEM);
		*len = bento_getxattr(inode, name, value, ret);
		if (*len > 0)
			return value;
		kvfree(value);
	} while (*len == -ERANGE);
	return *len == -ENODATA ? NULL : ERR_PTR(*len);
}

struct posix_acl *bento_get_acl(struct inode *inode, int type, bool rcu)
{
	struct posix_acl *acl;
	void *value;
	int len;

	if (bento_has_no_xattrs(inode))
		return NULL;
	if (rcu)
		return ERR_PTR(-ECHILD);
	value = bento_acl_read(inode, bento_acl_name(type), &len);
	if (IS_ERR_OR_NULL(value))
		return ERR_CAST(value);
	acl = posix_acl_from_xattr(&init_user_ns, value, len);
	kvfree(value);
	return acl;
}

/*
 * The mode follows the ACL in a second transaction: a crash between the two leaves the ACL,
 * which is what counts, with the old mode.
 */
int bento_set_acl(bento_idmap *idmap, BENTO_SET_ACL_TARGET, struct posix_acl *acl, int type)
{
	struct inode *inode = BENTO_SET_ACL_INODE;
	umode_t mode = inode->i_mode;
	void *value = NULL;
	size_t len = 0;
	int err;

	if (type == ACL_TYPE_ACCESS && acl) {
		err = posix_acl_update_mode(idmap, inode, &mode, &acl);
		if (err)
			return err;
	}
	if (acl) {
		value = bento_acl_encode(acl, &len);
		if (IS_ERR(value))
			return PTR_ERR(value);
	}
	err = bento_setxattr(inode, bento_acl_name(type), value, len, 0,
			     mode == inode->i_mode ? NULL : &mode);
	/* It was not there. */
	if (err == -ENODATA && !acl)
		err = 0;
	kfree(value);
	if (!err) {
		inode->i_mode = mode;
		set_cached_acl(inode, type, acl);
	}
	return err;
}

/* --------------------------------------------------------------- new inodes */

static int bento_birth_add(struct bento_birth *birth, const char *prefix, const char *name,
			   void *value, size_t len)
{
	struct bento_xattr *x = &birth->xattrs[birth->count];
	char *full;

	if (birth->count == BENTO_MAKE_XATTRS_MAX)
		return -ENOSPC;
	full = kasprintf(GFP_KERNEL, "%s%s", prefix, name);
	if (!full)
		return -ENOMEM;
	*x = (struct bento_xattr) {
		.name = full, .name_len = strlen(full), .value = value, .value_len = len,
	};
	birth->count++;
	return 0;
}

static int bento_birth_acl(struct bento_birth *birth, int type, struct posix_acl *acl)
{
	size_t len;
	void *value;
	int err;

	if (!acl)
		return 0;
	value = bento_acl_encode(acl, &len);
	if (IS_ERR(value))
		return PTR_ERR(value);
	err = bento_birth_add(birth, "", bento_acl_name(type), value, len);
	if (err)
		kfree(value);
	return err;
}

/* For security_inode_init_security(), which frees the array afterwards. */
static int bento_birth_labels(struct inode *inode, const struct xattr *array, void *data)
{
	const struct xattr *x;
	void *value;
	int err;

	for (x = array; x->name; x++) {
		value = kmemdup(x->value, x->value_len, GFP_KERNEL);
		if (!value)
			return -ENOMEM;
		err = bento_birth_add(data, XATTR_SECURITY_PREFIX, x->name, value, x->value_len);
		if (err) {
			kfree(value);
			return err;
		}
	}
	return 0;
}

/**
 * bento_birth_begin() - what an inode is born with
 * @birth: filled; to be ended with bento_birth_end(), also after an error
 * @dir: the directory where it is made
 * @inode: new; its mode is cut by the umask or the default ACL of @dir
 * @name: NULL for a file without a name
 *
 * Outside leaf calls: asks @dir for its ACL. Return: 0 or -errno.
 */
int bento_birth_begin(struct bento_birth *birth, struct inode *dir, struct inode *inode,
		      const struct qstr *name)
{
	int err;

	memset(birth, 0, sizeof(*birth));
	err = posix_acl_create(dir, &inode->i_mode, &birth->default_acl, &birth->acl);
	if (!err)
		err = bento_birth_acl(birth, ACL_TYPE_DEFAULT, birth->default_acl);
	if (!err)
		err = bento_birth_acl(birth, ACL_TYPE_ACCESS, birth->acl);
	if (!err && IS_POSIXACL(dir))
		err = security_inode_init_security(inode, dir, name, bento_birth_labels, birth);
	return err;
}

/* @inode: what was made, or NULL. */
void bento_birth_end(struct bento_birth *birth, struct inode *inode)
{
	u32 i;

	/* Symbolic links have none, and must not be asked. */
	if (inode && IS_POSIXACL(inode) && !S_ISLNK(inode->i_mode)) {
		set_cached_acl(inode, ACL_TYPE_ACCESS, birth->acl);
		if (S_ISDIR(inode->i_mode))
			set_cached_acl(inode, ACL_TYPE_DEFAULT, birth->default_acl);
	}
	posix_acl_release(birth->acl);
	posix_acl_release(birth->default_acl);
	for (i = 0; i < birth->count; i++) {
		kfree(birth->xattrs[i].name);
		kfree(birth->xattrs[i].value);
	}
}
