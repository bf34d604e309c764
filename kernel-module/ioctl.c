// SPDX-License-Identifier: GPL-2.0-only
/* ioctls of files and directories that bentofs serves itself. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/uaccess.h>

#include "bentofs_i.h"

/* The number and the flags that ext4, xfs and others agree on. */
#define BENTO_IOC_SHUTDOWN	_IOR('X', 125, __u32)

static long bento_ioctl_shutdown(struct super_block *sb, __u32 __user *arg)
{
	u32 how;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(how, arg))
		return -EFAULT;
	if (how > BENTO_SHUTDOWN_NOW)
		return -EINVAL;
	return bento_shutdown(sb, how);
}

long bento_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct super_block *sb = file_inode(file)->i_sb;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case BENTO_IOC_SHUTDOWN:
		return bento_ioctl_shutdown(sb, user);
	default:
		return -ENOTTY;
	}
}
