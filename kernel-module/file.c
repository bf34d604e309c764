// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regular files of mapped file systems: read, write, direct I/O, mmap, seek, fsync.
 *
 * Lock order: i_rwsem, invalidate_lock, folio lock, bento_inode.map_sem, gate, locks of
 * the file system.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/mm.h>
#include <linux/uio.h>

#include "bentofs_i.h"

int bento_file_open(struct inode *inode, struct file *file)
{
	int err;

	if (BENTO_M(inode->i_sb)->mapped)
		file->f_mode |= FMODE_CAN_ODIRECT;
	err = bento_may_read(inode) ?: generic_file_open(inode, file);
	if (!err)
		bento_file_used(file, BENTO_EVENT_OPEN);
	return err;
}

int bento_file_release(struct inode *inode, struct file *file)
{
	if (file->f_mode & FMODE_WRITE)
		bento_ahead_close(inode);
	bento_file_used(file, BENTO_EVENT_RELEASE);
	return 0;
}

ssize_t bento_file_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe,
			       size_t len, unsigned int flags)
{
	bento_file_used(file, BENTO_EVENT_FIRST_READ);
	return bento_may_read(file_inode(file)) ?: bento_splice_read(file, pos, pipe, len, flags);
}

static ssize_t bento_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret = bento_may_read(inode);

	if (ret)
		return ret;
	if (iocb->ki_flags & IOCB_NOWAIT && bento_file_due(iocb->ki_filp, BENTO_EVENT_FIRST_READ))
		return -EAGAIN;
	bento_file_used(iocb->ki_filp, BENTO_EVENT_FIRST_READ);
	if (!(iocb->ki_flags & IOCB_DIRECT))
		return generic_file_read_iter(iocb, to);
	if (!iov_iter_count(to))
		return 0;
	/* Against a truncate between lookup and submission. */
	inode_lock_shared(inode);
	ret = iomap_dio_rw(iocb, to, &bento_iomap_ops, NULL, 0, NULL, 0);
	inode_unlock_shared(inode);
	file_accessed(iocb->ki_filp);
	return ret;
}

/*
 * May run in interrupt context on 7.3, for an asynchronous pure overwrite: nothing here
 * may sleep unless space is unwritten or the file grows, for which iomap promises a task.
 */
static int bento_dio_end_io(struct kiocb *iocb, ssize_t size, int error, unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t pos = iocb->ki_pos;
	unsigned int nofs;
	bool extend;

	/* Here the write has ended, and nobody was told so yet. A part counts, too. */
	bento_data_submitted(inode);
	if (error || size <= 0)
		return error;
	extend = pos + size > i_size_read(inode);
	if (!(flags & IOMAP_DIO_UNWRITTEN) && !extend)
		return 0;
	nofs = memalloc_nofs_save();
	/* Readable before the size: else a racing direct read sees zeros below it. */
	if (flags & IOMAP_DIO_UNWRITTEN)
		error = bento_commit(inode, pos, size, true);
	if (!error && extend) {
		i_size_write(inode, pos + size);
		error = bento_commit(inode, pos, size, false);
	}
	memalloc_nofs_restore(nofs);
	return error;
}

static const struct iomap_dio_ops bento_dio_ops = { .end_io = bento_dio_end_io };

/*
 * A direct overwrite of whole blocks inside the file takes the lock shared; everything
 * that allocates partial blocks, extends or drops privileges needs it exclusively.
 * Returns whether it is exclusive.
 */
static bool bento_lock_for_write(struct kiocb *iocb, const struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t end = iocb->ki_pos + iov_iter_count(from);
	bool aligned = !((iocb->ki_pos | end) & (i_blocksize(inode) - 1));

	if (iocb->ki_flags & IOCB_DIRECT && !(iocb->ki_flags & IOCB_APPEND) && aligned &&
	    IS_NOSEC(inode) && end <= i_size_read(inode)) {
		inode_lock_shared(inode);
		if (end <= i_size_read(inode))
			return false;
		inode_unlock_shared(inode);
	}
	inode_lock(inode);
	return true;
}

/* Checks, privileges, times, and zeros between the end of the file and the write. */
static ssize_t bento_prepare_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret = bento_may_store(inode) ?: generic_write_checks(iocb, from);
	loff_t size = i_size_read(inode);
	int err;

	if (ret <= 0)
		return ret;
	err = file_modified(iocb->ki_filp);
	if (!err && iocb->ki_pos > size) {
		bento_ahead_release(inode);
		inode_dio_wait(inode);
		filemap_invalidate_lock(inode->i_mapping);
		err = bento_zero_eof(inode, size, iocb->ki_pos, NULL);
		filemap_invalidate_unlock(inode->i_mapping);
	}
	return err ? err : ret;
}

static ssize_t bento_write_buffered(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret = bento_buffered_write(iocb, from, &bento_iomap_ops, &bento_iomap_write_ops);

	if (ret > 0 && !BENTO_IOMAP_WRITE_MOVES_POS)
		iocb->ki_pos += ret;
	return ret;
}

/* The page cache could not be invalidated: through it, then out of it. */
static ssize_t bento_write_direct_fallback(struct kiocb *iocb, struct iov_iter *from)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	loff_t pos = iocb->ki_pos;
	ssize_t ret = bento_write_buffered(iocb, from);
	int err;

	if (ret <= 0)
		return ret;
	err = filemap_write_and_wait_range(mapping, pos, pos + ret - 1);
	invalidate_mapping_pages(mapping, pos >> PAGE_SHIFT, (pos + ret - 1) >> PAGE_SHIFT);
	return err ? err : ret;
}

static ssize_t bento_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool sync = true, exclusive;
	ssize_t ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	bento_file_used(iocb->ki_filp, BENTO_EVENT_FIRST_WRITE);
	exclusive = bento_lock_for_write(iocb, from);
	ret = bento_prepare_write(iocb, from);
	if (ret <= 0)
		goto unlock;
	if (!(iocb->ki_flags & IOCB_DIRECT)) {
		ret = bento_write_buffered(iocb, from);
		goto unlock;
	}
	if (exclusive)
		inode_dio_wait(inode);
	ret = iomap_dio_rw(iocb, from, &bento_iomap_ops, &bento_dio_ops,
			   exclusive ? IOMAP_DIO_FORCE_WAIT : 0, NULL, 0);
	sync = false;	/* done by iomap */
	if (ret == -ENOTBLK) {
		if (!exclusive) {
			inode_unlock_shared(inode);
			inode_lock(inode);
			exclusive = true;
		}
		ret = bento_write_direct_fallback(iocb, from);
		sync = true;
	}
unlock:
	if (exclusive)
		inode_unlock(inode);
	else
		inode_unlock_shared(inode);
	if (ret > 0 && sync)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

static vm_fault_t bento_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	vm_fault_t ret;

	if (bento_may_store(inode))
		return VM_FAULT_SIGBUS;
	sb_start_pagefault(inode->i_sb);
	file_update_time(vmf->vma->vm_file);
	filemap_invalidate_lock_shared(inode->i_mapping);
	ret = bento_iomap_mkwrite(vmf, &bento_iomap_ops);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static const struct vm_operations_struct bento_vm_ops = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = bento_page_mkwrite,
};

#if BENTO_HAS_MMAP_PREPARE
static int bento_mmap_prepare(struct vm_area_desc *desc)
{
	bento_file_mapped(desc->file, bento_desc_shared_maywrite(desc));
	file_accessed(desc->file);
	desc->vm_ops = &bento_vm_ops;
	return 0;
}
#else
static int bento_mmap(struct file *file, struct vm_area_struct *vma)
{
	bento_file_mapped(file, vma_is_shared_maywrite(vma));
	file_accessed(file);
	vma->vm_ops = &bento_vm_ops;
	return 0;
}
#endif

static loff_t bento_llseek(struct file *file, loff_t off, int whence)
{
	struct inode *inode = file_inode(file);

	if (whence != SEEK_HOLE && whence != SEEK_DATA)
		return generic_file_llseek(file, off, whence);
	inode_lock_shared(inode);
	if (whence == SEEK_HOLE)
		off = iomap_seek_hole(inode, off, &bento_iomap_ops);
	else
		off = iomap_seek_data(inode, off, &bento_iomap_ops);
	inode_unlock_shared(inode);
	return off < 0 ? off : vfs_setpos(file, off, inode->i_sb->s_maxbytes);
}

/*
 * fsync of files and directories, of mapped and other file systems.
 *
 * Data first (which ends with its commit), then times, then the file system makes its
 * metadata durable; one that keeps none gets a flush of the device.
 */
int bento_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err = bento_fresh(inode);

	/* What a repair writes again counts as written by this file. */
	if (!err && unlikely(READ_ONCE(BENTO_I(inode)->repaired)))
		flush_work(&BENTO_I(inode)->repair_work);
	err = file_write_and_wait_range(file, start, end) ?: err;

	/* Sizes move by commit(): only times are left, which fdatasync does not need. */
	if (!err && !datasync)
		err = sync_inode_metadata(inode, 1);
	return err ? err : bento_leaf_fsync(inode, datasync);
}

int bento_leaf_fsync(struct inode *inode, bool datasync)
{
	struct block_device *bdev = inode->i_sb->s_bdev;
	struct bento_call call __uninitialized;
	bool has;
	u64 node;
	int err;

	bento_count_data(inode);
	err = bento_enter_inode(&call, BENTO_OP_FSYNC, 0, inode, &node);
	if (err)
		return err;
	bento_trace(&call, inode->i_ino, .a = datasync);
	has = bento_has(&call, BENTO_OPS_SYNC);
	if (has)
		err = bento_ops(&call)->fsync(&call.cx, call.fs, node, datasync);
	err = bento_leave(&call, err);
	if (!err && !has && bdev && !READ_ONCE(BENTO_M(inode->i_sb)->opt.nobarrier))
		err = blkdev_issue_flush(bdev);
	return err;
}

const struct file_operations bento_mapped_fops = {
	.owner = THIS_MODULE,
	.open = bento_file_open,
	.release = bento_file_release,
	.llseek = bento_llseek,
	.read_iter = bento_read_iter,
	.write_iter = bento_write_iter,
#if BENTO_HAS_MMAP_PREPARE
	.mmap_prepare = bento_mmap_prepare,
#else
	.mmap = bento_mmap,
#endif
	.fsync = bento_fsync,
	.fallocate = bento_fallocate,
	.unlocked_ioctl = bento_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.splice_read = bento_file_splice_read,
	.splice_write = iter_file_splice_write,
	.setlease = generic_setlease,
};
