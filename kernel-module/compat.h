/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One source tree for Linux 6.1, 6.12 and 7.3: every difference between the kernels that
 * bentofs meets is named here, once. Code outside this file tests no kernel version.
 *
 * The thresholds are the releases that introduced a change, as far as known; only the
 * three kernels above are compiled by the checks.
 */
#ifndef _BENTOFS_COMPAT_H
#define _BENTOFS_COMPAT_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/fs_struct.h>
#include <linux/fileattr.h>
#include <linux/iomap.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/version.h>
#include <linux/writeback.h>
#include <linux/xattr.h>

#define BENTO_KERNEL_GE(a, b)	(LINUX_VERSION_CODE >= KERNEL_VERSION(a, b, 0))

/* Headers that came or moved. */
#if BENTO_KERNEL_GE(6, 4)
#include <linux/filelock.h>
#endif
#if BENTO_KERNEL_GE(6, 12)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif
#if BENTO_KERNEL_GE(7, 0)
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

/* A variable that is filled field by field, where all others are zeroed first. */
#ifndef __uninitialized
#if __has_attribute(__uninitialized__)
#define __uninitialized			__attribute__((__uninitialized__))
#else
#define __uninitialized
#endif
#endif

/*
 * Before 6.6 iomap writes a whole folio where one block of it has changed: read ahead into large
 * folios, a file would be written many times over by a database that syncs each block.
 */
#define BENTO_LARGE_FOLIOS		BENTO_KERNEL_GE(6, 6)

/* Mount idmap: the first argument of most inode operations. */
#if BENTO_KERNEL_GE(6, 3)
typedef struct mnt_idmap bento_idmap;
#define BENTO_NOP_IDMAP			(&nop_mnt_idmap)
#else
typedef struct user_namespace bento_idmap;
#define BENTO_NOP_IDMAP			(&init_user_ns)
#endif

#if BENTO_KERNEL_GE(6, 6)
#define bento_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, mask, inode, stat)
#else
#define bento_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, inode, stat)
#endif

/* ->mkdir() returns a dentry (NULL: the one it was given) on newer kernels. */
#if BENTO_KERNEL_GE(6, 15)
#define BENTO_MKDIR_RET			struct dentry *
#define bento_mkdir_ret(err)		ERR_PTR(err)
#else
#define BENTO_MKDIR_RET			int
#define bento_mkdir_ret(err)		(err)
#endif

/* ->create() lost its last argument. */
#if BENTO_KERNEL_GE(7, 3)
#define BENTO_CREATE_EXCL
#else
#define BENTO_CREATE_EXCL		, bool excl
#endif

/* Extended attributes and ACLs. */
#if BENTO_KERNEL_GE(6, 6)
typedef const struct xattr_handler *const bento_xattr_handlers;
#else
typedef const struct xattr_handler *bento_xattr_handlers;
#endif
#if BENTO_KERNEL_GE(6, 2)
#define BENTO_GET_ACL			get_inode_acl
#define BENTO_SET_ACL_TARGET		struct dentry *target
#define BENTO_SET_ACL_INODE		d_inode(target)
#define bento_acl_chmod(idmap, dentry, mode) posix_acl_chmod(idmap, dentry, mode)
/* The VFS serves them by itself. */
#define BENTO_ACL_XATTR_HANDLERS
#else
#define BENTO_GET_ACL			get_acl
#define BENTO_SET_ACL_TARGET		struct inode *target
#define BENTO_SET_ACL_INODE		target
#define bento_acl_chmod(idmap, dentry, mode) posix_acl_chmod(idmap, d_inode(dentry), mode)
#define BENTO_ACL_XATTR_HANDLERS	&posix_acl_access_xattr_handler, \
					&posix_acl_default_xattr_handler,
#endif

/* The bytes of an ACL as they are stored, in memory that the caller frees; ERR_PTR. */
static inline void *bento_acl_encode(const struct posix_acl *acl, size_t *len)
{
#if BENTO_KERNEL_GE(6, 18)
	return posix_acl_to_xattr(&init_user_ns, acl, len, GFP_KERNEL) ?: ERR_PTR(-ENOMEM);
#else
	void *value;
	int ret;

	*len = posix_acl_xattr_size(acl->a_count);
	value = kmalloc(*len, GFP_KERNEL);
	if (!value)
		return ERR_PTR(-ENOMEM);
	ret = posix_acl_to_xattr(&init_user_ns, acl, value, *len);
	if (ret >= 0)
		return value;
	kfree(value);
	return ERR_PTR(ret);
#endif
}

/* Inode flags. */
#if BENTO_KERNEL_GE(6, 17)
typedef struct file_kattr bento_fileattr;
#else
typedef struct fileattr bento_fileattr;
#endif

/* Times of an inode. */
#if BENTO_KERNEL_GE(6, 7)
#define bento_get_atime(inode)		inode_get_atime(inode)
#define bento_get_mtime(inode)		inode_get_mtime(inode)
#define bento_get_ctime(inode)		inode_get_ctime(inode)
#define bento_set_atime(inode, ts)	inode_set_atime_to_ts(inode, ts)
#define bento_set_mtime(inode, ts)	inode_set_mtime_to_ts(inode, ts)
#define bento_set_ctime(inode, ts)	inode_set_ctime_to_ts(inode, ts)
#else
static inline struct timespec64 bento_get_atime(const struct inode *inode)
{
	return inode->i_atime;
}

static inline struct timespec64 bento_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}

static inline struct timespec64 bento_get_ctime(const struct inode *inode)
{
	return inode->i_ctime;
}

static inline void bento_set_atime(struct inode *inode, struct timespec64 ts)
{
	inode->i_atime = ts;
}

static inline void bento_set_mtime(struct inode *inode, struct timespec64 ts)
{
	inode->i_mtime = ts;
}

static inline void bento_set_ctime(struct inode *inode, struct timespec64 ts)
{
	inode->i_ctime = ts;
}
#endif

/* i_state became a struct. */
#if BENTO_KERNEL_GE(6, 19)
#define bento_inode_state(inode)	inode_state_read_once(inode)
#else
#define bento_inode_state(inode)	READ_ONCE((inode)->i_state)
#endif
#define bento_inode_is_new(inode)	(bento_inode_state(inode) & I_NEW)

/* Block device and buffers. */
#if BENTO_KERNEL_GE(6, 9)
#define bento_bdev_mapping(bdev)	((bdev)->bd_mapping)
#else
#define bento_bdev_mapping(bdev)	((bdev)->bd_inode->i_mapping)
#endif

#if BENTO_KERNEL_GE(6, 7)
#define bento_getblk(bdev, block, size)	bdev_getblk(bdev, block, size, GFP_NOFS | __GFP_MOVABLE)
#else
#define bento_getblk(bdev, block, size)	__getblk_gfp(bdev, block, size, GFP_NOFS | __GFP_MOVABLE)
#endif

#if BENTO_KERNEL_GE(6, 8)
#define bento_freeze_bdev(bdev)		bdev_freeze(bdev)
#define bento_thaw_bdev(bdev)		bdev_thaw(bdev)
#else
#define bento_freeze_bdev(bdev)		freeze_bdev(bdev)
#define bento_thaw_bdev(bdev)		thaw_bdev(bdev)
#endif

/* Kinds of file handles: the numbers are those of XFS, which got names late. */
#if BENTO_KERNEL_GE(6, 7)
#define BENTO_FILEID			FILEID_INO64_GEN
#define BENTO_FILEID_PARENT		FILEID_INO64_GEN_PARENT
#else
#define BENTO_FILEID			0x81
#define BENTO_FILEID_PARENT		0x82
#endif

/* File operations. */
#if BENTO_KERNEL_GE(6, 5)
#define bento_splice_read		filemap_splice_read
#else
#define bento_splice_read		generic_file_splice_read
#endif

/* ->mmap() gave way to ->mmap_prepare(). */
#if BENTO_KERNEL_GE(6, 17)
#define BENTO_HAS_MMAP_PREPARE		1
#define bento_desc_shared_maywrite(desc) is_shared_maywrite(&(desc)->vma_flags)
#else
#define BENTO_HAS_MMAP_PREPARE		0
#endif

/* Address-space operations of the fallback (read/write) path. */
#if BENTO_KERNEL_GE(6, 17)
#define BENTO_WRITE_BEGIN_FIRST		const struct kiocb *iocb
#else
#define BENTO_WRITE_BEGIN_FIRST		struct file *file
#endif
#if BENTO_KERNEL_GE(6, 12)
typedef struct folio bento_wb_page;
#else
typedef struct page bento_wb_page;
#endif
/* write_cache_pages() was replaced by writeback_iter(). */
#if BENTO_KERNEL_GE(6, 8)
#define BENTO_HAS_WRITEBACK_ITER	1
#else
#define BENTO_HAS_WRITEBACK_ITER	0
#endif

/* iomap. The stale-mapping hook (iomap_valid) travels in three different ways. */
#if BENTO_KERNEL_GE(6, 6)
#define bento_iomap_dirty_folio		iomap_dirty_folio
#else
#define bento_iomap_dirty_folio		filemap_dirty_folio
#endif

#if BENTO_KERNEL_GE(6, 17)
#define BENTO_IOMAP_WRITE_OPS(name)	const struct iomap_write_ops name
#define bento_iomap_set_valid(iomap, ops) do { } while (0)
#define bento_buffered_write(iocb, from, ops, wops) \
	iomap_file_buffered_write(iocb, from, ops, wops, NULL)
#define bento_zero_range(inode, pos, len, zeroed, ops, wops) \
	iomap_zero_range(inode, pos, len, zeroed, ops, wops, NULL)
#define bento_truncate_page(inode, pos, zeroed, ops, wops) \
	iomap_truncate_page(inode, pos, zeroed, ops, wops, NULL)
#define bento_iomap_mkwrite(vmf, ops)	iomap_page_mkwrite(vmf, ops, NULL)
#else
#if BENTO_KERNEL_GE(6, 3)
#define BENTO_IOMAP_WRITE_OPS(name)	const struct iomap_folio_ops name
#define bento_iomap_set_valid(iomap, ops) ((iomap)->folio_ops = (ops))
#else
#define BENTO_IOMAP_WRITE_OPS(name)	const struct iomap_page_ops name
#define bento_iomap_set_valid(iomap, ops) ((iomap)->page_ops = (ops))
#endif
#if BENTO_KERNEL_GE(6, 10)
#define bento_buffered_write(iocb, from, ops, wops) \
	iomap_file_buffered_write(iocb, from, ops, NULL)
#else
#define bento_buffered_write(iocb, from, ops, wops) iomap_file_buffered_write(iocb, from, ops)
#endif
#define bento_zero_range(inode, pos, len, zeroed, ops, wops) \
	iomap_zero_range(inode, pos, len, zeroed, ops)
#define bento_truncate_page(inode, pos, zeroed, ops, wops) \
	iomap_truncate_page(inode, pos, zeroed, ops)
#define bento_iomap_mkwrite(vmf, ops)	iomap_page_mkwrite(vmf, ops)
#endif

/* iomap_file_buffered_write() advances ki_pos by itself, except on 6.1. */
#define BENTO_IOMAP_WRITE_MOVES_POS	BENTO_KERNEL_GE(6, 6)
/* iomap_truncate_page() skips unwritten extents under dirty page cache on 6.1. */
#define BENTO_TRUNCATE_NEEDS_FLUSH	(!BENTO_KERNEL_GE(6, 12))
/* Writeback: iomap_writepages(wpc) with ->writeback_range() and ->writeback_submit(). */
#define BENTO_HAS_WRITEBACK_RANGE	BENTO_KERNEL_GE(6, 17)
#if BENTO_HAS_WRITEBACK_RANGE
static inline int bento_iomap_writepages(struct address_space *mapping,
					 struct writeback_control *wbc,
					 struct iomap_writepage_ctx *ctx,
					 const struct iomap_writeback_ops *ops)
{
	ctx->inode = mapping->host;
	ctx->wbc = wbc;
	ctx->ops = ops;
	return iomap_writepages(ctx);
}
#else
#define bento_iomap_writepages(mapping, wbc, ctx, ops) iomap_writepages(mapping, wbc, ctx, ops)
#endif

/* Reads need a context on newer kernels. */
#if BENTO_KERNEL_GE(6, 19)
static inline int bento_iomap_read_folio(struct folio *folio, const struct iomap_ops *ops)
{
	iomap_bio_read_folio(folio, ops);
	return 0;
}
#define bento_iomap_readahead(rac, ops)	iomap_bio_readahead(rac, ops)
#else
#define bento_iomap_read_folio(folio, ops) iomap_read_folio(folio, ops)
#define bento_iomap_readahead(rac, ops)	iomap_readahead(rac, ops)
#endif

/* Our end_io only queues: no need for the block layer to go to a task first. */
#if BENTO_KERNEL_GE(7, 3)
#define bento_bio_end_anywhere(bio)	bio_clear_flag(bio, BIO_COMPLETE_IN_TASK)
#else
#define bento_bio_end_anywhere(bio)	do { } while (0)
#endif

#if BENTO_KERNEL_GE(6, 8)
#define BENTO_MAP_BLOCKS_LEN		, unsigned int len
#else
#define BENTO_MAP_BLOCKS_LEN
#endif

#if BENTO_KERNEL_GE(6, 9)
#define bento_ioend_from_bio(bio)	iomap_ioend_from_bio(bio)
#define bento_ioend_bio(ioend)		(&(ioend)->io_bio)
#else
#define bento_ioend_from_bio(bio)	((struct iomap_ioend *)(bio)->bi_private)
#define bento_ioend_bio(ioend)		((ioend)->io_bio)
#endif
#if BENTO_KERNEL_GE(6, 14)
#define bento_ioend_unwritten(ioend)	(!!((ioend)->io_flags & IOMAP_IOEND_UNWRITTEN))
#else
#define bento_ioend_unwritten(ioend)	((ioend)->io_type == IOMAP_UNWRITTEN)
#endif

#endif /* _BENTOFS_COMPAT_H */
