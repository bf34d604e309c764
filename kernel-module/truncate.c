// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing the size of a file, and zeroing what a larger size would make visible.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include "bentofs_i.h"

/**
 * bento_zero_eof() - zeroes [from, to) before a larger size makes it visible
 * @inode: regular file of a mapped file system
 * @from: the present size
 * @to: >= @from
 * @zeroed: set to true where page cache was dirtied; may be NULL
 *
 * The page that straddles the end may hold stores that were made through mmap behind
 * the end. Writing it back is what zeroes them: iomap_zero_range() alone is not enough,
 * because 6.1 skips holes and unwritten extents and 7.3 skips holes, and a direct write
 * that extends the file does not pass pagecache_isize_extended().
 *
 * Needs i_rwsem and invalidate_lock exclusively. Sleeps. Return: 0 or -errno.
 */
int bento_zero_eof(struct inode *inode, loff_t from, loff_t to, bool *zeroed)
{
	int err = 0;

	if (from & (PAGE_SIZE - 1))
		err = filemap_write_and_wait_range(inode->i_mapping, from, from);
	if (err)
		return err;
	return bento_zero_range(inode, from, to - from, zeroed, &bento_iomap_ops,
				&bento_iomap_write_ops);
}

/* The part of the last block that is cut off must not come back when the file grows. */
static int bento_zero_tail(struct inode *inode, loff_t size, bool *zeroed)
{
	int err = 0;

	if (BENTO_TRUNCATE_NEEDS_FLUSH)
		err = filemap_write_and_wait_range(inode->i_mapping, size, size);
	if (err)
		return err;
	return bento_truncate_page(inode, size, zeroed, &bento_iomap_ops, &bento_iomap_write_ops);
}

/* With invalidate_lock held, and no direct I/O in flight; see bento_truncate(). */
int bento_truncate_mapped(struct inode *inode, loff_t size, const struct bento_setattr *set)
{
	struct bento_inode *bi = BENTO_I(inode);
	loff_t old = i_size_read(inode), from;
	bool zeroed = false;
	int err;

	if (size > old)
		err = bento_zero_eof(inode, old, size, &zeroed);
	else
		err = bento_zero_tail(inode, size, &zeroed);
	if (err)
		return err;
	truncate_setsize(inode, size);
	/*
	 * What was zeroed, or never written, below the new size has to reach the device
	 * before the new size does.
	 */
	from = min(READ_ONCE(bi->disk_size), size);
	if (size && (zeroed || (size > bi->disk_size && old != bi->disk_size)))
		err = filemap_write_and_wait_range(inode->i_mapping, from ? from - 1 : 0, size - 1);
	if (!err) {
		down_write(&bi->map_sem);
		err = bento_leaf_setattr(inode, set, 0);
		up_write(&bi->map_sem);
	}
	if (err && size > old)
		truncate_setsize(inode, old);
	return err;
}

static int bento_truncate_fallback(struct inode *inode, loff_t size,
				   const struct bento_setattr *set)
{
	int err = filemap_write_and_wait(inode->i_mapping);

	if (!err)
		err = bento_leaf_setattr(inode, set, 0);
	if (!err)
		truncate_setsize(inode, size);
	return err;
}

/**
 * bento_truncate() - changes the size of a regular file
 * @inode: the file; its i_rwsem is held exclusively
 * @size: new size in bytes, <= s_maxbytes
 * @set: what the file system has to set, BENTO_SET_SIZE included
 *
 * Sleeps, waits for direct I/O, takes invalidate_lock. Return: 0 or -errno; after an
 * error the size is the old one or, where data has been cut off already, the new one.
 */
int bento_truncate(struct inode *inode, loff_t size, const struct bento_setattr *set)
{
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	inode_dio_wait(inode);
	/* A hole is what a larger size shows behind the old one. */
	bento_ahead_release(inode);
	if (BENTO_M(inode->i_sb)->mapped)
		err = bento_truncate_mapped(inode, size, set);
	else
		err = bento_truncate_fallback(inode, size, set);
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}
