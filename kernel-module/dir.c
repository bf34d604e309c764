// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading directories.
 *
 * The file system fills a kernel buffer; entries are shown to the caller outside the leaf
 * call, because touching user memory may fault into this very file system.
 *
 * f_pos is 0 and 1 for the dots, 2 for the first entry, and cookie + 1 behind the entry
 * with that cookie (cookies are >= 2, so 2 stays free for the start).
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/slab.h>

#include "bentofs_i.h"

#define BENTO_READDIR_BUF	(16U << 10)
#define BENTO_POS_START		2

struct bento_readdir {
	u8 *buf;
	u32 used;
	u32 more;
};

static int bento_leaf_readdir(struct inode *dir, loff_t pos, struct bento_readdir *rd)
{
	u64 node, cookie = pos <= BENTO_POS_START ? 0 : pos - 1;
	struct bento_call call __uninitialized;
	int err;

	rd->used = 0;
	rd->more = 0;
	err = bento_enter_inode(&call, BENTO_OP_READDIR, 0, dir, &node);
	if (err)
		return err;
	bento_trace(&call, dir->i_ino, .a = cookie);
	err = bento_ops(&call)->readdir(&call.cx, call.fs, node, cookie, rd->buf,
					BENTO_READDIR_BUF, &rd->used, &rd->more);
	if (!err && (rd->used > BENTO_READDIR_BUF || (rd->more && !rd->used)))
		err = -EIO;
	if (!err)
		bento_inject_damage(call.bm, call.cx.op, rd->buf, rd->used);
	return bento_leave(&call, err);
}

/* A name from the disk goes to programs that trust the kernel. */
static bool bento_name_ok(const u8 *name, u32 len)
{
	if (!len || memchr(name, 0, len) || memchr(name, '/', len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

struct bento_entry_view {
	u64 ino;
	u64 cookie;
	const u8 *name;
	u32 name_len;
	u32 type;
};

/* Returns the size of the record at @at, or 0 if it cannot be one. */
static u32 bento_decode_dirent(const struct bento_readdir *rd, u32 at, struct bento_entry_view *v)
{
	const struct bento_dirent *d = (const struct bento_dirent *)(rd->buf + at);
	u32 left = rd->used - at, size;

	BUILD_BUG_ON(sizeof(struct bento_dirent) != 18);
	if (left < sizeof(*d))
		return 0;
	size = sizeof(*d) + d->name_len;
	if (left < size)
		return 0;
	v->ino = get_unaligned_le64(d->ino);
	v->cookie = get_unaligned_le64(d->cookie);
	v->name = rd->buf + at + sizeof(*d);
	v->name_len = d->name_len;
	v->type = d->dirent_type;
	return size;
}

static bool bento_dirent_ok(const struct bento_entry_view *v, loff_t pos)
{
	/* Positions that do not grow would make a reader turn for ever. */
	if (v->cookie < BENTO_POS_START || v->cookie >= LLONG_MAX || (loff_t)v->cookie < pos)
		return false;
	return v->ino && v->type <= DT_WHT && bento_name_ok(v->name, v->name_len);
}

/* Shows what the buffer holds. 1: the caller is full; 0: go on; -errno. */
static int bento_emit(struct inode *dir, struct dir_context *ctx, const struct bento_readdir *rd)
{
	struct bento_mount *bm = BENTO_M(dir->i_sb);
	struct bento_entry_view v;
	u32 at = 0, size;

	while (at < rd->used) {
		size = bento_decode_dirent(rd, at, &v);
		if (!size || !bento_dirent_ok(&v, ctx->pos)) {
			if (__ratelimit(&bm->log_limit))
				bento_err(bm, "directory %llu: impossible entry behind position %lld; run fsck",
					  (u64)dir->i_ino, ctx->pos);
			bento_damaged(bm);
			return -EUCLEAN;
		}
		if (!dir_emit(ctx, (const char *)v.name, v.name_len, v.ino, v.type))
			return 1;
		ctx->pos = v.cookie + 1;
		at += size;
	}
	return 0;
}

static int bento_iterate(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct bento_readdir rd;
	int err;

	if (!dir_emit_dots(file, ctx))
		return 0;
	rd.buf = kzalloc(BENTO_READDIR_BUF, GFP_KERNEL);
	if (!rd.buf)
		return -ENOMEM;
	do {
		err = bento_leaf_readdir(dir, ctx->pos, &rd);
		if (!err)
			err = bento_emit(dir, ctx, &rd);
	} while (!err && rd.more);
	kfree(rd.buf);
	return err < 0 ? err : 0;
}

static loff_t bento_dir_llseek(struct file *file, loff_t off, int whence)
{
	return generic_file_llseek_size(file, off, whence, LLONG_MAX, i_size_read(file_inode(file)));
}

const struct file_operations bento_dir_fops = {
	.owner = THIS_MODULE,
	.llseek = bento_dir_llseek,
	.read = generic_read_dir,
	.iterate_shared = bento_iterate,
	.fsync = bento_fsync,
	.unlocked_ioctl = bento_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.setlease = generic_setlease,
};
