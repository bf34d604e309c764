// SPDX-License-Identifier: GPL-2.0-only
/*
 * Super blocks: mounting, remounting and unmounting through the fs_context interface, the
 * super_operations, and the periodic commit.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/string_helpers.h>

#include "bentofs_i.h"

/* A file system that collects changes in memory is told to commit them this often. */
#define BENTO_COMMIT_INTERVAL	(5 * HZ)
/* The text of all options that bentofs passes to the file system, in bytes. */
#define BENTO_OPTIONS_MAX	4096U

struct workqueue_struct *bento_wq;

/* What is being mounted or remounted: fc->fs_private. */
struct bento_fc {
	struct bento_build *build;	/* with a module reference; only for a new mount */
	char *options;			/* for the file system: "a,b=c" */
	bool oops_on_panic;
	bool panic_given;
};

/* --------------------------------------------------------------- instances */

struct bento_inst *bento_inst_alloc(struct bento_mount *bm, struct bento_build *build)
{
	struct bento_inst *inst;

	inst = kzalloc(sizeof(*inst), GFP_KERNEL);
	if (!inst)
		return NULL;
	__module_get(build->module);
	inst->build = build;
	inst->ops = build->ops;
	inst->bm = bm;
	inst->number = ++bm->instances;
	INIT_LIST_HEAD(&inst->nodes);
	inst->dev.bm = bm;
	inst->dev.inst = inst;
	inst->dev.bdev = bm->sb->s_bdev;
	if (inst->dev.bdev)
		inst->dev.blocks = bdev_nr_bytes(inst->dev.bdev) >> BENTO_BLOCK_BITS;
	return inst;
}

/* Validates what mount() or import_state() returned in @out, and takes it over. */
int bento_check_mount_out(struct bento_inst *inst, const struct bento_mount_out *out)
{
	if (!out->fs)
		return -EIO;
	inst->fs = out->fs;
	inst->root = out->root;
	inst->max_file_size = min_t(u64, out->max_file_size, MAX_LFS_FILESIZE);
	if (!out->root || !out->max_file_size) {
		bento_err(inst->bm, "%s returned root inode %llu and largest file %llu",
			  bento_build_id(inst->build), out->root, out->max_file_size);
		return -EIO;
	}
	return 0;
}

/* @flags: BENTO_MOUNT_* */
int bento_inst_mount(struct bento_inst *inst, u32 flags)
{
	struct bento_mount *bm = inst->bm;
	struct bento_mount_in in = {
		.dev = &inst->dev,
		.options = (const u8 *)bm->options,
		.options_len = strlen(bm->options),
		.flags = flags,
	};
	struct bento_mount_out out = {};
	struct bento_call call;
	int err;

	inst->rdonly = flags & BENTO_MOUNT_RDONLY;
	bento_enter_inst(&call, BENTO_OP_MOUNT, inst);
	err = inst->ops->mount(&call.cx, &in, &out);
	err = bento_leave(&call, err);
	if (err)
		return err < 0 ? err : -EIO;
	return bento_check_mount_out(inst, &out);
}

void bento_inst_destroy(struct bento_inst *inst)
{
	struct bento_call call;

	bento_nodes_drop_all(inst);
	if (!inst->fs)
		return;
	bento_enter_inst(&call, BENTO_OP_DESTROY, inst);
	inst->ops->destroy(&call.cx, inst->fs);
	bento_leave(&call, 0);
	inst->fs = 0;
}

void bento_inst_free(struct bento_inst *inst)
{
	bento_inst_destroy(inst);
	bento_build_put(inst->build);
	kfree_rcu(inst, rcu);
}

/*
 * Empties the cache of metadata blocks. None of them is dirty, for only explicit writes of
 * the file system reach the device. The page cache of files is not touched.
 */
void bento_forget_blocks(struct super_block *sb)
{
	if (!sb->s_bdev)
		return;
	invalidate_bdev(sb->s_bdev);
	truncate_inode_pages(bento_bdev_mapping(sb->s_bdev), 0);
}

/* ---------------------------------------------------------- periodic commit */

static int bento_leaf_sync(struct bento_mount *bm)
{
	struct bento_call call;
	int err;

	err = bento_enter(&call, BENTO_OP_SYNC, BENTO_ENTER_NOKILL, bm);
	if (err)
		return err;
	if (bento_has(&call, BENTO_OPS_SYNC))
		err = bento_ops(&call)->sync(&call.cx, call.fs);
	return bento_leave(&call, err);
}

static void bento_commit_work(struct work_struct *work)
{
	struct bento_mount *bm = container_of(to_delayed_work(work), struct bento_mount,
					      commit_work);
	int err;

	if (sb_rdonly(bm->sb))
		return;
	/* While the file system is frozen nothing may be written; the thaw changes nothing. */
	if (!bento_failed(bm) && sb_start_intwrite_trylock(bm->sb)) {
		err = bento_leaf_sync(bm);
		sb_end_intwrite(bm->sb);
		if (err && !bento_failed(bm) && __ratelimit(&bm->log_limit))
			bento_err(bm, "periodic commit failed (error %d); newer changes are only in memory",
				  err);
	}
	queue_delayed_work(bento_wq, &bm->commit_work, BENTO_COMMIT_INTERVAL);
}

void bento_commit_start(struct bento_mount *bm)
{
	if (!sb_rdonly(bm->sb))
		queue_delayed_work(bento_wq, &bm->commit_work, BENTO_COMMIT_INTERVAL);
}

/* -------------------------------------------------------- super_operations */

static int bento_sync_fs(struct super_block *sb, int wait)
{
	if (!wait || sb_rdonly(sb))
		return 0;
	return bento_leaf_sync(BENTO_M(sb));
}

static int bento_freeze_fs(struct super_block *sb)
{
	return bento_sync_fs(sb, 1);
}

static int bento_unfreeze_fs(struct super_block *sb)
{
	return 0;
}

static int bento_statfs(struct dentry *dentry, struct kstatfs *stat)
{
	struct super_block *sb = dentry->d_sb;
	struct bento_statfs out = {};
	struct bento_call call;
	int err;

	err = bento_enter(&call, BENTO_OP_STATFS, 0, BENTO_M(sb));
	if (err)
		return err;
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

static int bento_show_options(struct seq_file *m, struct dentry *root)
{
	struct bento_mount *bm = BENTO_M(root->d_sb);

	if (bm->oops_on_panic)
		seq_puts(m, ",panic=oops");
	if (*bm->options) {
		seq_putc(m, ',');
		seq_escape(m, bm->options, " \t\n\\");
	}
	return 0;
}

/* Ends the instance. All inodes are evicted and everything has been synced before. */
static void bento_mount_shut(struct bento_mount *bm)
{
	struct bento_inst *inst = bm->inst;
	struct bento_call call;
	int err;

	if (bm->shut)
		return;
	bm->shut = true;
	cancel_delayed_work_sync(&bm->commit_work);
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
	bento_inject_remove(bm);
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
	if (bm->inst)
		bento_inst_free(bm->inst);
	bento_gate_exit(bm);
	kfree(bm->options);
	kfree(bm);
}

void bento_kill_sb(struct super_block *sb)
{
	struct bento_mount *bm = BENTO_M(sb);

	/* Inodes under repair hold references, which their work items drop. */
	if (bm)
		flush_workqueue(bento_wq);
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
	if (bento_gate_init(bm)) {
		kfree(bm);
		return NULL;
	}
	bm->sb = sb;
	bm->type = ctx->build->type;
	bm->mapped = ctx->build->ops->ops & BENTO_OPS_MAP;
	bm->oops_on_panic = ctx->oops_on_panic;
	INIT_LIST_HEAD(&bm->type_link);
	mutex_init(&bm->upgrade_mutex);
	spin_lock_init(&bm->node_lock);
	spin_lock_init(&bm->inject.lock);
	INIT_DELAYED_WORK(&bm->commit_work, bento_commit_work);
	ratelimit_state_init(&bm->log_limit, 5 * HZ, 20);
	ratelimit_set_flags(&bm->log_limit, RATELIMIT_MSG_ON_RELEASE);
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

static int bento_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct bento_fc *ctx = fc->fs_private;
	struct bento_mount *bm;
	int err;

	err = bento_setup_device(sb, fc);
	if (err)
		return err;
	bm = bento_mount_alloc(sb, ctx);
	if (!bm)
		return -ENOMEM;
	sb->s_fs_info = bm;
	sb->s_magic = BENTO_SUPER_MAGIC;
	sb->s_op = &bento_super_ops;
	sb->s_time_gran = 1;
	sb->s_flags |= SB_NOSEC;
	bm->inst = bento_inst_alloc(bm, ctx->build);
	if (!bm->inst)
		return -ENOMEM;
	err = bento_inst_mount(bm->inst, sb_rdonly(sb) ? BENTO_MOUNT_RDONLY : 0);
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
	bento_inject_add(bm);
	bento_type_add_mount(bm);
	bento_commit_start(bm);
	return 0;
}

/* --------------------------------------------------------------- fs_context */

static struct bento_type *bento_fc_type(const struct fs_context *fc)
{
	return container_of(fc->fs_type, struct bento_type, fst);
}

static int bento_get_tree(struct fs_context *fc)
{
	struct bento_type *type = bento_fc_type(fc);
	struct bento_fc *ctx = fc->fs_private;

	if (!ctx->build)
		ctx->build = bento_build_get_preferred(type);
	if (!ctx->build) {
		errorf(fc, "no module offers the file system %s any more; load one", type->name);
		return -ENODEV;
	}
	return type->device ? get_tree_bdev(fc, bento_fill_super) :
			      get_tree_nodev(fc, bento_fill_super);
}

static int bento_add_option(struct fs_context *fc, const char *key, const char *value)
{
	struct bento_fc *ctx = fc->fs_private;
	const char *old = ctx->options ?: "";
	char *text;

	text = kasprintf(GFP_KERNEL, "%s%s%s%s%s", old, *old ? "," : "", key, value ? "=" : "",
			 value ?: "");
	if (!text)
		return -ENOMEM;
	if (strlen(text) > BENTO_OPTIONS_MAX) {
		kfree(text);
		return invalf(fc, "the mount options exceed %u bytes", BENTO_OPTIONS_MAX);
	}
	kfree(ctx->options);
	ctx->options = text;
	return 0;
}

/* Options that bentofs does not know are the business of the file system, which names the
 * ones that it does not know either. */
static int bento_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct bento_fc *ctx = fc->fs_private;

	if (!strcmp(param->key, "source"))
		return -ENOPARAM;
	if (param->type != fs_value_is_flag && param->type != fs_value_is_string)
		return invalf(fc, "option %s: only text values are supported", param->key);
	if (!strcmp(param->key, "panic") && param->type == fs_value_is_string) {
		if (strcmp(param->string, "fail") && strcmp(param->string, "oops"))
			return invalf(fc, "option panic=%s: must be fail or oops", param->string);
		ctx->oops_on_panic = !strcmp(param->string, "oops");
		ctx->panic_given = true;
		return 0;
	}
	return bento_add_option(fc, param->key,
				param->type == fs_value_is_string ? param->string : NULL);
}

/* Is @word (of length @len) one of the comma-separated words of @options? */
static bool bento_has_option(const char *options, const char *word, size_t len)
{
	while (*options) {
		size_t n = strcspn(options, ",");

		if (n == len && !memcmp(options, word, n))
			return true;
		options += n;
		if (*options)
			options++;
	}
	return false;
}

/* mount(8) repeats the options of the mount; a file system cannot change them. */
static int bento_check_remount_options(struct fs_context *fc, struct bento_mount *bm)
{
	struct bento_fc *ctx = fc->fs_private;
	const char *word = ctx->options;

	while (word && *word) {
		size_t n = strcspn(word, ",");

		if (!bento_has_option(bm->options, word, n))
			return invalf(fc, "option %.*s cannot be set by a remount", (int)n, word);
		word += n;
		if (*word)
			word++;
	}
	return 0;
}

static int bento_reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct bento_mount *bm = BENTO_M(sb);
	struct bento_fc *ctx = fc->fs_private;
	unsigned int flags = fc->sb_flags_mask & SB_RDONLY ? fc->sb_flags : sb->s_flags;
	bool rdonly = flags & SB_RDONLY;
	int err;

	err = bento_check_remount_options(fc, bm);
	if (err)
		return err;
	sync_filesystem(sb);
	if (!rdonly && sb_rdonly(sb)) {
		if (sb->s_bdev && bdev_read_only(sb->s_bdev)) {
			errorf(fc, "%s: the device is read-only", bm->id);
			return -EROFS;
		}
		err = bento_reopen_for_writing(bm);
		if (err) {
			errorf(fc, "%s: %s cannot be made writable (error %d)", bm->id,
			       bm->type->name, err);
			return err;
		}
	}
	mutex_lock(&bm->upgrade_mutex);
	if (ctx->panic_given)
		bm->oops_on_panic = ctx->oops_on_panic;
	if (rdonly == sb_rdonly(sb))
		goto out;
	if (rdonly) {
		cancel_delayed_work_sync(&bm->commit_work);
		err = bento_failed(bm) ? 0 : bento_leaf_sync(bm);
	} else {
		queue_delayed_work(bento_wq, &bm->commit_work, BENTO_COMMIT_INTERVAL);
	}
out:
	mutex_unlock(&bm->upgrade_mutex);
	return err;
}

static void bento_free_fc(struct fs_context *fc)
{
	struct bento_fc *ctx = fc->fs_private;

	if (!ctx)
		return;
	if (ctx->build)
		bento_build_put(ctx->build);
	kfree(ctx->options);
	kfree(ctx);
}

static const struct fs_context_operations bento_fc_ops = {
	.free		= bento_free_fc,
	.parse_param	= bento_parse_param,
	.get_tree	= bento_get_tree,
	.reconfigure	= bento_reconfigure,
};

int bento_init_fs_context(struct fs_context *fc)
{
	struct bento_fc *ctx;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	ctx->options = kstrdup("", GFP_KERNEL);
	if (!ctx->options) {
		kfree(ctx);
		return -ENOMEM;
	}
	fc->fs_private = ctx;
	fc->ops = &bento_fc_ops;
	return 0;
}
