// SPDX-License-Identifier: GPL-2.0-only
/* Super blocks: their setup and end, the super_operations, and the periodic commit. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/slab.h>
#include <linux/statfs.h>

#include "bentofs_i.h"

struct workqueue_struct *bento_wq;
struct workqueue_struct *bento_mount_wq;

/*
 * Empties the cache of metadata blocks. None of them is dirty, for only explicit writes of
 * the file system reach the device. The page cache of files is not touched.
 */
static void bento_forget_blocks(struct super_block *sb)
{
	if (!sb->s_bdev)
		return;
	invalidate_bdev(sb->s_bdev);
	truncate_inode_pages(bento_bdev_mapping(sb->s_bdev), 0);
}

/* ---------------------------------------------------------- periodic commit */

int bento_leaf_sync(struct bento_mount *bm)
{
	struct bento_call call __uninitialized;
	int err;

	err = bento_enter(&call, BENTO_OP_SYNC, BENTO_ENTER_NOKILL, bm);
	if (err)
		return err;
	bento_trace(&call, 0);
	if (bento_has(&call, BENTO_OPS_SYNC))
		err = bento_ops(&call)->sync(&call.cx, call.fs);
	return bento_leave(&call, err);
}

static void bento_commit_work(struct work_struct *work)
{
	struct bento_mount *bm = container_of(to_delayed_work(work), struct bento_mount,
					      commit_work);
	int err;

	bento_commit_begin(bm);
	if (sb_rdonly(bm->sb)) {
		bento_commit_end(bm);
		return;
	}
	/* While the file system is frozen nothing may be written; the thaw changes nothing. */
	if (!bento_failed(bm) && sb_start_intwrite_trylock(bm->sb)) {
		bento_log_sync(bm);
		err = bento_leaf_sync(bm);
		sb_end_intwrite(bm->sb);
		if (err && !bento_failed(bm) && __ratelimit(&bm->log_limit))
			bento_err(bm, "periodic commit failed (error %d); newer changes are only in memory",
				  err);
	}
	bento_commit_end(bm);
	/* Unless somebody has asked for another one meanwhile. */
	queue_delayed_work(bento_wq, &bm->commit_work, READ_ONCE(bm->opt.commit_s) * HZ);
}

void bento_commit_schedule(struct bento_mount *bm)
{
	mod_delayed_work(bento_wq, &bm->commit_work, READ_ONCE(bm->opt.commit_s) * HZ);
}

/* -------------------------------------------------------- super_operations */

static int bento_sync_fs(struct super_block *sb, int wait)
{
	if (sb_rdonly(sb))
		return 0;
	/* Before the second, waiting pass data is written, but not by sync(2). */
	if (!wait) {
		bento_repair_wait(BENTO_M(sb));
		bento_log_flush(BENTO_M(sb));
		return 0;
	}
	/* Data of inodes that nobody asks one by one, see bento_count_data(). */
	bento_count_write(BENTO_M(sb));
	bento_log_sync(BENTO_M(sb));
	return bento_leaf_sync(BENTO_M(sb));
}

static int bento_freeze_fs(struct super_block *sb)
{
	/* Not the log: what is recorded now waits for the thaw. */
	return sb_rdonly(sb) ? 0 : bento_leaf_sync(BENTO_M(sb));
}

static int bento_unfreeze_fs(struct super_block *sb)
{
	bento_log_schedule(BENTO_M(sb));
	return 0;
}

static int bento_statfs(struct dentry *dentry, struct kstatfs *stat)
{
	struct super_block *sb = dentry->d_sb;
	struct bento_statfs out = {};
	struct bento_call call __uninitialized;
	int err;

	err = bento_enter(&call, BENTO_OP_STATFS, 0, BENTO_M(sb));
	if (err)
		return err;
	bento_trace(&call, 0);
	err = bento_ops(&call)->statfs(&call.cx, call.fs, &out);
	err = bento_leave(&call, err);
	if (err)
		return err;
	stat->f_type = sb->s_magic;
	stat->f_bsize = out.block_size;
	stat->f_frsize = out.block_size;
	stat->f_blocks = out.blocks;
	stat->f_bfree = out.blocks_free;
	stat->f_bavail = out.blocks_available;
	stat->f_files = out.files;
	stat->f_ffree = out.files_free;
	stat->f_fsid = u64_to_fsid(out.fsid);
	stat->f_namelen = min(out.name_max, BENTO_NAME_MAX);
	return 0;
}

/* Ends the instance. All inodes are evicted and everything has been synced before. */
static void bento_mount_shut(struct bento_mount *bm)
{
	struct bento_inst *inst = bm->inst;
	struct bento_call call __uninitialized;
	int err;

	if (bm->shut)
		return;
	bm->shut = true;
	cancel_delayed_work_sync(&bm->commit_work);
	bento_watch_set(bm, 0);
	bento_nodes_drop_all(inst);
	if (inst->fs && !READ_ONCE(inst->failed)) {
		bento_enter_inst(&call, BENTO_OP_UNMOUNT, inst);
		err = bento_leave(&call, inst->ops->unmount(&call.cx, inst->fs));
		if (err)
			bento_err(bm, "unmount of %s failed (error %d); the next mount will recover",
				  bento_build_id(inst->build), err);
	}
	bento_inst_destroy(inst);
	/* The next user of the device must not find our blocks in its page cache. */
	bento_forget_blocks(bm->sb);
}

static void bento_put_super(struct super_block *sb)
{
	struct bento_mount *bm = BENTO_M(sb);

	bento_type_remove_mount(bm);
	bento_debugfs_remove(bm);
	bento_sysfs_remove(bm);
	bento_mount_shut(bm);
}

const struct super_operations bento_super_ops = {
	.alloc_inode	= bento_alloc_inode,
	.free_inode	= bento_free_inode,
	.write_inode	= bento_write_inode,
	.evict_inode	= bento_evict_inode,
	.put_super	= bento_put_super,
	.sync_fs	= bento_sync_fs,
	.freeze_fs	= bento_freeze_fs,
	.unfreeze_fs	= bento_unfreeze_fs,
	.statfs		= bento_statfs,
	.show_options	= bento_show_options,
};

/* ------------------------------------------------------------ mount, unmount */

static void bento_mount_free(struct bento_mount *bm)
{
	cancel_work_sync(&bm->settle_work);
	if (bm->inst)
		bento_inst_free(bm->inst);
	bento_gate_exit(bm);
	bento_stats_exit(bm);
	kvfree(bm->log.buf);
	kfree(bm->options);
	kfree(bm);
}

void bento_kill_sb(struct super_block *sb)
{
	struct bento_mount *bm = BENTO_M(sb);

	if (bm) {
		bento_log_stop(bm);
		/* Inodes under repair hold references, which their work items drop. */
		flush_workqueue(bento_wq);
	}
	/* A mount that failed half-way has no root, so that put_super() is not called. */
	if (bm && bm->inst && !sb->s_root)
		bento_mount_shut(bm);
	if (container_of(sb->s_type, struct bento_type, fst)->device)
		kill_block_super(sb);
	else
		kill_anon_super(sb);
	if (bm)
		bento_mount_free(bm);
}

static struct bento_mount *bento_mount_alloc(struct super_block *sb, struct bento_fc *ctx)
{
	struct bento_mount *bm;

	bm = kzalloc(sizeof(*bm), GFP_KERNEL);
	if (!bm)
		return NULL;
	if (bento_stats_init(bm) || bento_gate_init(bm)) {
		bento_stats_exit(bm);
		kfree(bm);
		return NULL;
	}
	bm->sb = sb;
	bm->type = ctx->build->type;
	bm->mapped = ctx->build->ops->ops & BENTO_OPS_MAP;
	bm->opt = ctx->opt;
	/* What others have written before the mount counts as one write. */
	atomic64_set(&bm->written, 1);
	INIT_LIST_HEAD(&bm->type_link);
	bento_upgrade_init(bm);
	bento_repair_init(bm);
	spin_lock_init(&bm->node_lock);
	spin_lock_init(&bm->inject.lock);
	spin_lock_init(&bm->error_lock);
	INIT_DELAYED_WORK(&bm->commit_work, bento_commit_work);
	bento_log_init(bm);
	bento_errors_init(bm);
	bento_watch_init(bm);
	ratelimit_state_init(&bm->log_limit, 5 * HZ, 20);
	ratelimit_set_flags(&bm->log_limit, RATELIMIT_MSG_ON_RELEASE);
	ratelimit_state_init(&bm->info_limit, 5 * HZ, 20);
	ratelimit_set_flags(&bm->info_limit, RATELIMIT_MSG_ON_RELEASE);
	if (sb->s_bdev)
		strscpy(bm->id, sb->s_id, sizeof(bm->id));
	else
		snprintf(bm->id, sizeof(bm->id), "%s-%u", bm->type->name, MINOR(sb->s_dev));
	strreplace(bm->id, '/', '!');
	bm->options = ctx->options;
	ctx->options = NULL;
	return bm;
}

static int bento_setup_device(struct super_block *sb, struct fs_context *fc)
{
	if (!sb->s_bdev) {
		sb->s_blocksize = BENTO_BLOCK_SIZE;
		sb->s_blocksize_bits = BENTO_BLOCK_BITS;
		return super_setup_bdi(sb);
	}
	if (!sb_set_blocksize(sb, BENTO_BLOCK_SIZE)) {
		errorf(fc, "%s: the device cannot be read in blocks of %u bytes", sb->s_id,
		       BENTO_BLOCK_SIZE);
		return -EINVAL;
	}
	/*
	 * What was written to the device file must be on the device, for file data by-passes
	 * its cache; and clean blocks there may be older than the device, for the log of the
	 * last mount did so too.
	 */
	sync_blockdev(sb->s_bdev);
	bento_forget_blocks(sb);
	return 0;
}

static int bento_mount_root(struct super_block *sb)
{
	struct bento_mount *bm = BENTO_M(sb);
	struct inode *root;

	root = bento_iget(sb, bm->inst->root);
	if (IS_ERR(root))
		return PTR_ERR(root);
	if (!S_ISDIR(root->i_mode)) {
		bento_err(bm, "the root inode %llu is no directory", bm->inst->root);
		iput(root);
		return -EUCLEAN;
	}
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

/* From now on the VFS leaves the umask of new files to us. An upgrade may bring ACLs, and does
 * not take them away. */
void bento_offer_acls(struct super_block *sb, const struct bento_inst *inst)
{
	if (inst->ops->ops & BENTO_OPS_XATTR)
		sb->s_flags |= SB_POSIXACL;
}

int bento_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct bento_mount_in in = {};
	struct bento_fc *ctx = fc->fs_private;
	struct bento_mount *bm;
	int err;

	err = bento_options_check(fc, &ctx->opt, sb_rdonly(sb)) ?: bento_setup_device(sb, fc);
	if (err)
		return err;
	bm = bento_mount_alloc(sb, ctx);
	if (!bm)
		return -ENOMEM;
	sb->s_fs_info = bm;
	sb->s_magic = BENTO_SUPER_MAGIC;
	sb->s_op = &bento_super_ops;
	sb->s_export_op = &bento_export_ops;
	sb->s_xattr = bento_xattrs;
	sb->s_time_gran = 1;
	sb->s_flags |= SB_NOSEC;
	bm->inst = bento_inst_alloc(bm, ctx->build);
	if (!bm->inst)
		return -ENOMEM;
	bento_offer_acls(sb, bm->inst);
	bento_log_attach(bm, bm->inst);
	in.flags = bento_mount_flags(bm, sb_rdonly(sb));
	err = bento_inst_start(bm->inst, BENTO_OP_MOUNT, &in);
	if (err) {
		errorf(fc, "%s: %s refused to mount (error %d), see the kernel log", bm->id,
		       bento_build_id(ctx->build), err);
		return err;
	}
	sb->s_maxbytes = bm->inst->max_file_size;
	err = bento_sysfs_add(bm);
	if (err)
		return err;
	err = bento_mount_root(sb);
	if (err) {
		bento_sysfs_remove(bm);
		return err;
	}
	bento_debugfs_add(bm);
	bento_watch_set(bm, bm->opt.watchdog_s);
	bento_type_add_mount(bm);
	if (!sb_rdonly(sb)) {
		bento_commit_schedule(bm);
		bento_log_schedule(bm);
	}
	return 0;
}
