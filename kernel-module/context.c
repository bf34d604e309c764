// SPDX-License-Identifier: GPL-2.0-only
/* The fs_context: mount options, and what a mount or remount is asked to do. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/slab.h>

#include "bentofs_i.h"

/* The text of all options that bentofs passes to the file system, in bytes. */
#define BENTO_OPTIONS_MAX	4096U

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
	int err;

	if (!strcmp(param->key, "source"))
		return -ENOPARAM;
	err = bento_options_parse(fc, param, &ctx->opt);
	if (err != -ENOPARAM)
		return err;
	if (param->type != fs_value_is_flag && param->type != fs_value_is_string)
		return invalf(fc, "option %s: only text values are supported", param->key);
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

	err = bento_check_remount_options(fc, bm) ?:
	      bento_options_check_remount(fc, &bm->opt, &ctx->opt, rdonly);
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
	bento_options_remount(bm, &ctx->opt);
	if (rdonly == sb_rdonly(sb)) {
		/* The period may have changed. */
		if (!rdonly)
			bento_commit_schedule(bm);
		goto out;
	}
	if (rdonly) {
		cancel_delayed_work_sync(&bm->commit_work);
		err = bento_failed(bm) ? 0 : bento_leaf_sync(bm);
	} else {
		bento_commit_schedule(bm);
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
	bento_options_init(&ctx->opt);
	ctx->options = kstrdup("", GFP_KERNEL);
	if (!ctx->options) {
		kfree(ctx);
		return -ENOMEM;
	}
	fc->fs_private = ctx;
	fc->ops = &bento_fc_ops;
	return 0;
}
