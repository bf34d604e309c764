// SPDX-License-Identifier: GPL-2.0-only
/* ioctls of files and directories that bentofs serves itself. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/sched/signal.h>
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

/* One step of a trim. Nothing reaches the device while the file system is frozen. */
static int bento_leaf_trim(struct super_block *sb, struct bento_trim *range)
{
	struct bento_call call __uninitialized;
	int err;

	sb_start_write(sb);
	err = sb_rdonly(sb) ? -EROFS : bento_enter(&call, BENTO_OP_TRIM, 0, BENTO_M(sb));
	if (!err) {
		bento_trace(&call, 0, .a = range->start, .b = range->end, .c = range->min_len);
		err = -EOPNOTSUPP;
		if (bento_has(&call, BENTO_OPS_TRIM))
			err = bento_ops(&call)->trim(&call.cx, call.fs, range);
		err = bento_leave(&call, err);
	}
	sb_end_write(sb);
	if (!err && range->next <= range->start)
		err = -EIO;
	return err;
}

static int bento_trim(struct super_block *sb, struct bento_trim *range, u64 *trimmed)
{
	int err = 0;

	*trimmed = 0;
	while (!err && range->start < range->end) {
		range->trimmed = 0;
		range->next = 0;
		err = bento_leaf_trim(sb, range);
		*trimmed += range->trimmed;
		range->start = range->next;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

static long bento_ioctl_trim(struct super_block *sb, struct fstrim_range __user *arg)
{
	struct block_device *bdev = sb->s_bdev;
	struct fstrim_range user;
	struct bento_trim range;
	u64 device;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!bdev || !bdev_max_discard_sectors(bdev))
		return -EOPNOTSUPP;
	if (copy_from_user(&user, arg, sizeof(user)))
		return -EFAULT;
	device = bdev_nr_bytes(bdev);
	if (user.start >= device || user.len < BENTO_BLOCK_SIZE)
		return -EINVAL;
	range = (struct bento_trim) {
		.start = round_up(user.start, BENTO_BLOCK_SIZE),
		.end = round_down(user.start + min(user.len, device - user.start),
				  BENTO_BLOCK_SIZE),
		.min_len = max_t(u64, user.minlen, bdev_discard_granularity(bdev)),
	};
	err = bento_trim(sb, &range, &user.len);
	if (err)
		return err;
	return copy_to_user(arg, &user, sizeof(user)) ? -EFAULT : 0;
}

long bento_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct super_block *sb = file_inode(file)->i_sb;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case BENTO_IOC_SHUTDOWN:
		return bento_ioctl_shutdown(sb, user);
	case FITRIM:
		return bento_ioctl_trim(sb, user);
	default:
		return -ENOTTY;
	}
}
