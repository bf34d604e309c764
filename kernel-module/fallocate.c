// SPDX-License-Identifier: GPL-2.0-only
/*
 * fallocate(2) of mapped file systems: space for a range, holes, zeros, and ranges that are
 * cut out or put in.
 *
 * The page cache is dealt with here, blocks by the file system. No page of the range is in
 * the cache while its blocks change: invalidate_lock keeps new ones away, what is dirty is
 * written out, for the extents under it must be those that it was accepted for.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/falloc.h>

#include "bentofs_i.h"

#define BENTO_FALLOC_MODES	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | \
				 FALLOC_FL_ZERO_RANGE | FALLOC_FL_COLLAPSE_RANGE | \
				 FALLOC_FL_INSERT_RANGE)

/* One request; @size is set for BENTO_FALLOC_COLLAPSE and _INSERT only. */
static int bento_leaf_fallocate_step(struct inode *inode, const struct bento_fallocate_in *in)
{
	struct bento_inode *bi = BENTO_I(inode);
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	err = bento_enter_inode(&call, BENTO_OP_FALLOCATE, 0, inode, &node);
	if (err)
		return err;
	bento_trace(&call, inode->i_ino, .a = in->offset | in->mode, .b = in->len, .c = in->size);
	if (!bento_has(&call, BENTO_OPS_FALLOCATE))
		return bento_leave(&call, -EOPNOTSUPP);
	err = bento_ops(&call)->fallocate(&call.cx, call.fs, node, in);
	/* Also after an error: part of the work may have been done. */
	WRITE_ONCE(bi->map_seq, bi->map_seq + 1);
	if (!err && in->size)
		WRITE_ONCE(bi->disk_size, in->size);
	if (!READ_ONCE(call.inst->failed))
		bento_refresh_blocks(&call, inode, node);
	return bento_leave(&call, err);
}

int bento_leaf_fallocate(struct inode *inode, u32 mode, loff_t from, loff_t to, u64 size)
{
	struct bento_fallocate_in in = {
		.offset = from, .len = to - from, .size = size, .mode = mode,
	};
	int err;

	if (from >= to)
		return 0;
	do {
		down_write(&BENTO_I(inode)->map_sem);
		err = bento_leaf_fallocate_step(inode, &in);
		up_write(&BENTO_I(inode)->map_sem);
		if (err == -EAGAIN && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	} while (err == -EAGAIN);
	return err;
}

/* ------------------------------------------------------------------ page cache */

static int bento_drop_pages(struct inode *inode, loff_t from, loff_t to)
{
	int err;

	from = round_down(from, PAGE_SIZE);
	to = round_up(to, PAGE_SIZE);
	err = filemap_write_and_wait_range(inode->i_mapping, from, to - 1);
	if (!err)
		truncate_pagecache_range(inode, from, to - 1);
	return err;
}

/* Part of a block, whose page is not in the cache. What lies behind the end is zero anyway. */
static int bento_zero_part(struct inode *inode, loff_t from, loff_t to)
{
	to = min(to, i_size_read(inode));
	if (from >= to)
		return 0;
	return bento_zero_range(inode, from, to - from, NULL, &bento_iomap_ops,
				&bento_iomap_write_ops);
}

/* Zeroes the parts of blocks at both ends of [from, to); *@first to *@last are whole blocks. */
static int bento_zero_ends(struct inode *inode, loff_t from, loff_t to, loff_t *first,
			   loff_t *last)
{
	unsigned int size = i_blocksize(inode);
	int err;

	*first = round_up(from, size);
	*last = round_down(to, size);
	if (*first > *last)
		return bento_zero_part(inode, from, to);
	err = bento_zero_part(inode, from, *first);
	return err ? err : bento_zero_part(inode, *last, to);
}

/* ------------------------------------------------------------------ modes */

/* Space was found: now nothing but an I/O error keeps the size from moving. */
static int bento_falloc_grow(struct inode *inode, loff_t size)
{
	struct bento_setattr set = {
		.mask = BENTO_SET_SIZE | BENTO_SET_MTIME | BENTO_SET_CTIME,
		.size = size,
		.mtime = bento_time(bento_get_mtime(inode)),
		.ctime = bento_time(bento_get_ctime(inode)),
	};

	return size > i_size_read(inode) ? bento_truncate_mapped(inode, size, &set) : 0;
}

/* Whole blocks around the range. Pages may stay: what they show does not change. */
static int bento_falloc_allocate(struct inode *inode, loff_t from, loff_t to)
{
	unsigned int size = i_blocksize(inode);

	return bento_leaf_fallocate(inode, BENTO_FALLOC_ALLOCATE, round_down(from, size),
				    round_up(to, size), 0);
}

static int bento_falloc_clear(struct inode *inode, u32 mode, loff_t from, loff_t to)
{
	loff_t first, last;
	int err;

	err = bento_drop_pages(inode, from, to);
	if (!err)
		err = bento_zero_ends(inode, from, to, &first, &last);
	return err ? err : bento_leaf_fallocate(inode, mode, first, last, 0);
}

/* Space comes first: where there is none, nothing has been zeroed. */
static int bento_falloc_zero(struct inode *inode, loff_t from, loff_t to)
{
	int err = bento_falloc_allocate(inode, from, to);

	return err ? err : bento_falloc_clear(inode, BENTO_FALLOC_ZERO, from, to);
}

/* Everything from @from on moves, so all of it leaves the cache. */
static int bento_falloc_shift(struct inode *inode, u32 mode, loff_t from, loff_t to)
{
	loff_t size = i_size_read(inode), new;
	int err;

	if ((from | to) & (i_blocksize(inode) - 1))
		return -EINVAL;
	if (mode == BENTO_FALLOC_COLLAPSE ? to >= size : from >= size)
		return -EINVAL;
	new = mode == BENTO_FALLOC_COLLAPSE ? size - (to - from) : size + (to - from);
	if (new > inode->i_sb->s_maxbytes)
		return -EFBIG;
	err = inode_newsize_ok(inode, new);
	if (!err)
		err = filemap_write_and_wait(inode->i_mapping);
	if (err)
		return err;
	truncate_pagecache(inode, from);
	err = bento_leaf_fallocate(inode, mode, from, to, new);
	if (!err)
		i_size_write(inode, new);
	return err;
}

static int bento_falloc_locked(struct inode *inode, int mode, loff_t from, loff_t to)
{
	bool grow = !(mode & ~FALLOC_FL_ZERO_RANGE) && to > i_size_read(inode);
	int err = 0;

	if (grow)
		err = inode_newsize_ok(inode, to);
	if (err)
		return err;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return bento_falloc_clear(inode, BENTO_FALLOC_PUNCH, from, to);
	if (mode & FALLOC_FL_COLLAPSE_RANGE)
		return bento_falloc_shift(inode, BENTO_FALLOC_COLLAPSE, from, to);
	if (mode & FALLOC_FL_INSERT_RANGE)
		return bento_falloc_shift(inode, BENTO_FALLOC_INSERT, from, to);
	if (mode & FALLOC_FL_ZERO_RANGE)
		err = bento_falloc_zero(inode, from, to);
	else
		err = bento_falloc_allocate(inode, from, to);
	return err || !grow ? err : bento_falloc_grow(inode, to);
}

long bento_fallocate(struct file *file, int mode, loff_t off, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err;

	if (mode & ~BENTO_FALLOC_MODES || !bento_offers(BENTO_M(inode->i_sb), BENTO_OPS_FALLOCATE))
		return -EOPNOTSUPP;
	inode_lock(inode);
	err = bento_may_store(inode) ?: file_modified(file);
	if (!err) {
		/* What lies behind the end is from now on what was asked for. */
		bento_ahead_release(inode);
		inode_dio_wait(inode);
		filemap_invalidate_lock(inode->i_mapping);
		err = bento_falloc_locked(inode, mode, off, off + len);
		filemap_invalidate_unlock(inode->i_mapping);
	}
	inode_unlock(inode);
	if (!err && (file->f_flags & O_DSYNC || IS_SYNC(inode)))
		err = vfs_fsync(file, 0);
	return err;
}
