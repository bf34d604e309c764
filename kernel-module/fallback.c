// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regular files of file systems that compute their data: read() and write() of the file
 * system instead of a map of the device.
 *
 * Reads go through the page cache, one folio per call. Writes go to the file system at
 * once and drop the pages; only stores through mmap leave dirty pages, which writepages()
 * hands to write(). invalidate_lock keeps new pages and new stores away in between.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "bentofs_i.h"

/* Bytes that one leaf call writes; the ABI allows 1 MiB. */
#define BENTO_FALLBACK_CHUNK	(64U << 10)

static bool bento_can_write(struct inode *inode)
{
	struct bento_call call __uninitialized;
	bool has;

	if (bento_enter(&call, BENTO_OP_WRITE, 0, BENTO_M(inode->i_sb)))
		return false;
	bento_trace(&call, inode->i_ino);
	has = bento_has(&call, BENTO_OPS_WRITE);
	bento_leave(&call, 0);
	return has;
}

/* Returns the number of bytes, 1..@len, or -errno. */
static int bento_leaf_write(struct inode *inode, loff_t pos, const u8 *data, u32 len, u32 flags)
{
	struct bento_call call __uninitialized;
	u64 node;
	int ret;

	ret = bento_enter_inode(&call, BENTO_OP_WRITE, flags, inode, &node);
	if (ret)
		return ret;
	bento_trace(&call, inode->i_ino, .a = pos, .b = len);
	ret = -EROFS;
	if (bento_has(&call, BENTO_OPS_WRITE))
		ret = bento_ops(&call)->write(&call.cx, call.fs, node, pos, data, len);
	ret = bento_leave(&call, ret);
	return ret == 0 || ret > (int)len ? -EIO : ret;
}

static int bento_leaf_read(struct inode *inode, loff_t pos, u8 *data, u32 len)
{
	struct bento_call call __uninitialized;
	u64 node;
	int ret;

	ret = bento_enter_inode(&call, BENTO_OP_READ, 0, inode, &node);
	if (ret)
		return ret;
	bento_trace(&call, inode->i_ino, .a = pos, .b = len);
	ret = -EIO;
	if (bento_has(&call, BENTO_OPS_READ))
		ret = bento_ops(&call)->read(&call.cx, call.fs, node, pos, data, len);
	ret = bento_leave(&call, ret);
	return ret > (int)len ? -EIO : ret;
}

static int bento_fallback_read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	u32 len = folio_size(folio);
	u8 *data = kmap_local_folio(folio, 0);
	int ret;

	/* Users see it up to where the file system says that it has filled it. */
	memset(data, 0, len);
	ret = bento_leaf_read(inode, folio_pos(folio), data, len);
	if (ret >= 0) {
		memset(data + ret, 0, len - ret);
		flush_dcache_folio(folio);
	}
	kunmap_local(data);
	if (ret >= 0)
		folio_mark_uptodate(folio);
	folio_unlock(folio);
	return ret < 0 ? ret : 0;
}

/* The folio is locked and was dirty; writes what lies inside the file. */
static int bento_fallback_write_folio(struct inode *inode, struct folio *folio)
{
	loff_t pos = folio_pos(folio), size = i_size_read(inode);
	u32 len = pos < size ? min_t(loff_t, folio_size(folio), size - pos) : 0, done = 0;
	u8 *data;
	int ret = 0;

	folio_start_writeback(folio);
	folio_unlock(folio);
	data = kmap_local_folio(folio, 0);
	while (done < len) {
		ret = bento_leaf_write(inode, pos + done, data + done, len - done,
				       BENTO_ENTER_NOKILL);
		if (ret < 0)
			break;
		done += ret;
	}
	kunmap_local(data);
	if (ret < 0)
		mapping_set_error(inode->i_mapping, ret);
	folio_end_writeback(folio);
	return ret < 0 ? ret : 0;
}

#if BENTO_HAS_WRITEBACK_ITER
static int bento_fallback_writepages(struct address_space *mapping,
				     struct writeback_control *wbc)
{
	struct folio *folio = NULL;
	int err = 0;

	if (bento_failed(BENTO_M(mapping->host->i_sb)))
		return -EIO;
	while ((folio = writeback_iter(mapping, wbc, folio, &err)))
		err = bento_fallback_write_folio(mapping->host, folio);
	return err;
}
#else
static int bento_fallback_write_page(struct page *page, struct writeback_control *wbc, void *data)
{
	return bento_fallback_write_folio(page->mapping->host, page_folio(page));
}

static int bento_fallback_writepages(struct address_space *mapping,
				     struct writeback_control *wbc)
{
	if (bento_failed(BENTO_M(mapping->host->i_sb)))
		return -EIO;
	return write_cache_pages(mapping, wbc, bento_fallback_write_page, NULL);
}
#endif

const struct address_space_operations bento_fallback_aops = {
	.read_folio = bento_fallback_read_folio,
	.writepages = bento_fallback_writepages,
	.dirty_folio = filemap_dirty_folio,
	.migrate_folio = filemap_migrate_folio,
};

static ssize_t bento_fallback_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	if (iocb->ki_flags & IOCB_NOWAIT && bento_file_due(iocb->ki_filp, BENTO_EVENT_FIRST_READ))
		return -EAGAIN;
	bento_file_used(iocb->ki_filp, BENTO_EVENT_FIRST_READ);
	return bento_may_read(file_inode(iocb->ki_filp)) ?: generic_file_read_iter(iocb, to);
}

/* One chunk, already in kernel memory. Returns the number of bytes or -errno. */
static int bento_fallback_write_chunk(struct inode *inode, loff_t pos, const u8 *data, u32 len)
{
	struct address_space *mapping = inode->i_mapping;
	int ret;

	filemap_invalidate_lock(mapping);
	ret = filemap_write_and_wait_range(mapping, pos, pos + len - 1);
	if (!ret)
		ret = bento_leaf_write(inode, pos, data, len, 0);
	if (ret > 0) {
		if (invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT,
						  (pos + ret - 1) >> PAGE_SHIFT))
			mapping_set_error(mapping, -EIO);
		if (pos + ret > i_size_read(inode))
			i_size_write(inode, pos + ret);
	}
	filemap_invalidate_unlock(mapping);
	return ret;
}

static ssize_t bento_fallback_write_all(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	u32 size = min_t(size_t, iov_iter_count(from), BENTO_FALLBACK_CHUNK);
	u8 *data = kvmalloc(size, GFP_KERNEL);
	ssize_t done = 0, ret = 0;

	if (!data)
		return -ENOMEM;
	while (iov_iter_count(from)) {
		/* May fault, also on this very file: no lock but i_rwsem is held. */
		size_t len = copy_from_iter(data, min_t(size_t, size, iov_iter_count(from)), from);

		if (!len) {
			ret = -EFAULT;
			break;
		}
		ret = bento_fallback_write_chunk(inode, iocb->ki_pos, data, len);
		iov_iter_revert(from, len - max_t(ssize_t, ret, 0));
		if (ret < 0)
			break;
		iocb->ki_pos += ret;
		done += ret;
		cond_resched();
	}
	kvfree(data);
	return done ? done : ret;
}

static ssize_t bento_fallback_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;
	int err;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	bento_file_used(iocb->ki_filp, BENTO_EVENT_FIRST_WRITE);
	inode_lock(inode);
	ret = bento_may_store(inode) ?: generic_write_checks(iocb, from);
	if (ret > 0) {
		err = file_modified(iocb->ki_filp);
		ret = err ? err : bento_fallback_write_all(iocb, from);
	}
	inode_unlock(inode);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

static vm_fault_t bento_fallback_page_mkwrite(struct vm_fault *vmf)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	vm_fault_t ret;

	if (bento_may_store(mapping->host))
		return VM_FAULT_SIGBUS;
	filemap_invalidate_lock_shared(mapping);
	ret = filemap_page_mkwrite(vmf);
	filemap_invalidate_unlock_shared(mapping);
	return ret;
}

static const struct vm_operations_struct bento_fallback_vm_ops = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = bento_fallback_page_mkwrite,
};

#if BENTO_HAS_MMAP_PREPARE
static int bento_fallback_mmap_prepare(struct vm_area_desc *desc)
{
	if (bento_desc_shared_maywrite(desc) && !bento_can_write(file_inode(desc->file)))
		return -EINVAL;
	bento_file_mapped(desc->file, bento_desc_shared_maywrite(desc));
	file_accessed(desc->file);
	desc->vm_ops = &bento_fallback_vm_ops;
	return 0;
}
#else
static int bento_fallback_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma_is_shared_maywrite(vma) && !bento_can_write(file_inode(file)))
		return -EINVAL;
	bento_file_mapped(file, vma_is_shared_maywrite(vma));
	file_accessed(file);
	vma->vm_ops = &bento_fallback_vm_ops;
	return 0;
}
#endif

const struct file_operations bento_fallback_fops = {
	.owner = THIS_MODULE,
	.open = bento_file_open,
	.release = bento_file_release,
	.llseek = generic_file_llseek,
	.read_iter = bento_fallback_read_iter,
	.write_iter = bento_fallback_write_iter,
#if BENTO_HAS_MMAP_PREPARE
	.mmap_prepare = bento_fallback_mmap_prepare,
#else
	.mmap = bento_fallback_mmap,
#endif
	.fsync = bento_fsync,
	.unlocked_ioctl = bento_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.splice_read = bento_file_splice_read,
	.splice_write = iter_file_splice_write,
	.setlease = generic_setlease,
};
