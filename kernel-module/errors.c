// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a mount ends before it is unmounted: what the option errors= does about a damaged
 * disk, and the shutdown that an administrator asks for by ioctl.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/panic.h>

#include "bentofs_i.h"

/* ------------------------------------------------------------- damaged disk */

/*
 * As a remount does, which modules cannot ask for. Nobody is waited for, as the caller who
 * found the damage may hold any lock: a writer who is on the way still gets through. What was
 * accepted before is written out.
 */
static void bento_read_only_work(struct work_struct *work)
{
	struct bento_mount *bm = container_of(to_delayed_work(work), struct bento_mount,
					      read_only_work);
	struct super_block *sb = bm->sb;

	down_write(&sb->s_umount);
	/* A thaw must find what the freeze left. */
	if (sb->s_writers.frozen != SB_UNFROZEN) {
		up_write(&sb->s_umount);
		schedule_delayed_work(&bm->read_only_work, HZ);
		return;
	}
	if (sb->s_root && !sb_rdonly(sb)) {
		sb->s_flags |= SB_RDONLY;
		bento_err(bm, "now read-only, because the disk is damaged and errors=remount-ro; unmount it and run fsck");
		downgrade_write(&sb->s_umount);
		sync_inodes_sb(sb);
		bento_leaf_sync(bm);
		up_read(&sb->s_umount);
	} else {
		up_write(&sb->s_umount);
	}
	bento_mount_put(bm);
}

void bento_errors_init(struct bento_mount *bm)
{
	INIT_DELAYED_WORK(&bm->read_only_work, bento_read_only_work);
}

void bento_damaged(struct bento_mount *bm)
{
	if (sb_rdonly(bm->sb))
		return;
	switch (READ_ONCE(bm->opt.errors)) {
	case BENTO_ERRORS_PANIC:
		panic("bentofs: %s: the disk is damaged and errors=panic\n", bm->id);
	case BENTO_ERRORS_RO:
		/* The work item keeps the mount. */
		if (bento_mount_get(bm) && !schedule_delayed_work(&bm->read_only_work, 0))
			bento_mount_put(bm);
		break;
	}
}

/* ----------------------------------------------------------------- shutdown */

/* For a mount that stops now: @sync writes everything out first, and holds new writers. */
static int bento_shutdown_begin(struct super_block *sb, enum bento_shutdown how, bool *frozen)
{
	*frozen = false;
	if (how == BENTO_SHUTDOWN_LOG)
		bento_leaf_sync(BENTO_M(sb));
	if (how != BENTO_SHUTDOWN_SYNC)
		return 0;
	if (sb->s_bdev && !sb_rdonly(sb)) {
		*frozen = true;
		return bento_freeze_bdev(sb->s_bdev);
	}
	down_read(&sb->s_umount);
	sync_filesystem(sb);
	up_read(&sb->s_umount);
	return 0;
}

/**
 * bento_shutdown() - stops a mount at once, for good
 * @sb: its super block; the caller holds an open file of it
 * @how: what is written before
 *
 * Afterwards everything answers -EIO until it is unmounted, as with a failed instance, but
 * no upgrade repairs it; the next mount recovers as after a power cut. Sleeps.
 * Return: 0, or the error of the freeze, after which nothing has happened (-EBUSY where it is
 * frozen, on kernels whose freezes do not nest).
 */
int bento_shutdown(struct super_block *sb, enum bento_shutdown how)
{
	struct bento_mount *bm = BENTO_M(sb);
	bool frozen;
	int err;

	err = bento_shutdown_begin(sb, how, &frozen);
	if (err)
		return err;
	mutex_lock(&bm->upgrade_mutex);
	if (!bm->shutdown) {
		WRITE_ONCE(bm->shutdown, true);
		bento_inst_fail(bm->inst);
		/* Whoever waits for a repair (failed_wait=) waits in vain. */
		wake_up_all(&bm->gate_wq);
		bento_last_error(bm, "shut down by process %u", current->tgid);
		bento_err(bm, "shut down by process %u (%s): operations return EIO until it is unmounted",
			  current->tgid, current->comm);
	}
	mutex_unlock(&bm->upgrade_mutex);
	if (frozen)
		bento_thaw_bdev(sb->s_bdev);
	return 0;
}
