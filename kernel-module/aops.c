// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page cache of mapped file systems, by iomap.
 *
 * Space is taken when data is written, as unwritten extents. When the data has
 * reached the device, a work item per inode commits it (the extents become readable,
 * the size on disk moves) and only then ends writeback of the folios.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include "bentofs_i.h"

static bool bento_iomap_valid(struct inode *inode, const struct iomap *iomap)
{
	return iomap->validity_cookie == bento_map_seq(inode);
}

BENTO_IOMAP_WRITE_OPS(bento_iomap_write_ops) = { .iomap_valid = bento_iomap_valid };

static void bento_fill_iomap(struct inode *inode, const struct bento_map *map,
			     struct iomap *iomap)
{
	const struct bento_extent *ext = &map->ext;

	iomap->bdev = inode->i_sb->s_bdev;
	iomap->offset = ext->offset;
	iomap->length = ext->len;
	iomap->flags = 0;
	iomap->validity_cookie = map->seq;
	bento_iomap_set_valid(iomap, &bento_iomap_write_ops);
	switch (ext->kind) {
	case BENTO_EXTENT_MAPPED:
		iomap->type = IOMAP_MAPPED;
		iomap->addr = ext->addr;
		break;
	case BENTO_EXTENT_UNWRITTEN:
		iomap->type = IOMAP_UNWRITTEN;
		iomap->addr = ext->addr;
		break;
	default:
		iomap->type = IOMAP_HOLE;
		iomap->addr = IOMAP_NULL_ADDR;
	}
}

static unsigned int bento_map_flags(unsigned int flags)
{
	unsigned int ret = 0;

	if (flags & IOMAP_NOWAIT)
		ret |= BENTO_MAP_NOWAIT;
	/* A repair waits for it. */
	if (flags & IOMAP_DIRECT)
		ret |= BENTO_MAP_NOREPAIR;
	/* Zeroing skips holes, and an overwrite must not become an allocation. */
	if ((flags & IOMAP_WRITE) && !(flags & (IOMAP_OVERWRITE_ONLY | IOMAP_ZERO)))
		ret |= BENTO_MAP_ALLOCATE;
	return ret;
}

static int bento_iomap_begin(struct inode *inode, loff_t pos, loff_t length, unsigned int flags,
			     struct iomap *iomap, struct iomap *srcmap)
{
	unsigned int mapping;
	struct bento_map map;
	int err;

	if (pos >= inode->i_sb->s_maxbytes) {
		if (flags & IOMAP_WRITE)
			return -EFBIG;
		map.ext = (struct bento_extent) {
			.offset = round_down(pos, i_blocksize(inode)),
			.len = i_blocksize(inode), .kind = BENTO_EXTENT_HOLE,
		};
		map.seq = bento_map_seq(inode);
		bento_fill_iomap(inode, &map, iomap);
		return 0;
	}
	mapping = bento_map_flags(flags);
	if (mapping & BENTO_MAP_ALLOCATE && !(flags & (IOMAP_DIRECT | IOMAP_FAULT)) &&
	    bento_ahead_wanted(inode, pos, length))
		mapping |= BENTO_MAP_AHEAD;
	err = bento_map(inode, pos, length, mapping, &map);
	if (err)
		return err;
	bento_fill_iomap(inode, &map, iomap);
	if (flags & IOMAP_OVERWRITE_ONLY &&
	    (iomap->type != IOMAP_MAPPED || iomap->offset + iomap->length < pos + length))
		return -EAGAIN;
	if (map.ext.is_new)
		iomap->flags |= IOMAP_F_NEW;
	/* Without it, O_DSYNC direct I/O would write with FUA and skip the commit. */
	if (flags & IOMAP_WRITE &&
	    (iomap->type == IOMAP_UNWRITTEN || pos + length > i_size_read(inode)))
		iomap->flags |= IOMAP_F_DIRTY;
	return 0;
}

const struct iomap_ops bento_iomap_ops = { .iomap_begin = bento_iomap_begin };

/* ------------------------------------------------------------ flushes */

/*
 * fsync needs a flush for data that the device may hold in its cache, and the end of a plain
 * overwrite calls nobody. So the inode remembers that data was submitted (before that, its
 * folios are under writeback), and whoever needs the data on the medium waits for it and then
 * counts it as one more write, which the next flush has to cover.
 */
void bento_data_submitted(struct inode *inode)
{
	/* Folios first; a full barrier, pairs with the one in bento_count_data(). */
	xchg(&BENTO_I(inode)->unflushed, true);
}

/*
 * The caller has waited for the data that it cares for. Under the lock, since a second caller
 * who finds the flag clear relies on the count.
 */
void bento_count_data(struct inode *inode)
{
	struct bento_inode *bi = BENTO_I(inode);

	spin_lock(&inode->i_lock);
	if (xchg(&bi->unflushed, false)) {
		/* Of what is still on its way the next caller has to take care. */
		if (mapping_tagged(inode->i_mapping, PAGECACHE_TAG_WRITEBACK))
			WRITE_ONCE(bi->unflushed, true);
		bento_count_write(BENTO_M(inode->i_sb));
	}
	spin_unlock(&inode->i_lock);
}

/* ------------------------------------------------------------ writeback */

/* One run of writepages(). */
struct bento_wpc {
	struct iomap_writepage_ctx ctx;	/* first: the callbacks get only this */
	loff_t failed_from;		/* bytes that could not be mapped; empty: from >= to */
	loff_t failed_to;
};

/*
 * What could not be made durable because the instance failed stays dirty: a repair
 * brings another instance, and the page cache holds the only copy. Without @lock the
 * folios must be under writeback, which keeps them in the mapping.
 */
static void bento_redirty(struct inode *inode, loff_t from, loff_t to, bool lock)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t index = from >> PAGE_SHIFT, last = (to - 1) >> PAGE_SHIFT;
	struct folio_batch batch;
	unsigned int i, n;

	if (from >= to)
		return;
	folio_batch_init(&batch);
	while ((n = filemap_get_folios(mapping, &index, last, &batch))) {
		for (i = 0; i < n; i++) {
			struct folio *folio = batch.folios[i];

			if (lock)
				folio_lock(folio);
			/* Parts that are not up to date must never be written. */
			if (folio->mapping == mapping && folio_test_uptodate(folio))
				bento_iomap_dirty_folio(mapping, folio);
			if (lock)
				folio_unlock(folio);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
}

void bento_redirty_cached(struct inode *inode)
{
	bento_redirty(inode, 0, i_size_read(inode), true);
}

static bool bento_worth_keeping(struct inode *inode, int err)
{
	return err == -ENOMEM || bento_failed(BENTO_M(inode->i_sb));
}

/*
 * The list is per inode: iomap_sort_ioends() sorts by file offset only and
 * iomap_ioend_try_merge() does not compare inodes, so ioends of two files whose offsets
 * and sectors continue each other would be merged.
 */
void bento_ioend_work(struct work_struct *work)
{
	struct bento_inode *bi = container_of(work, struct bento_inode, ioend_work);
	unsigned int nofs = memalloc_nofs_save();
	struct iomap_ioend *ioend;
	unsigned long irq;
	LIST_HEAD(list);
	int err;

	spin_lock_irqsave(&bi->ioend_lock, irq);
	list_replace_init(&bi->ioend_list, &list);
	spin_unlock_irqrestore(&bi->ioend_lock, irq);

	iomap_sort_ioends(&list);
	while ((ioend = list_first_entry_or_null(&list, struct iomap_ioend, io_list))) {
		struct inode *inode = ioend->io_inode;

		list_del_init(&ioend->io_list);
		iomap_ioend_try_merge(ioend, &list);
		err = blk_status_to_errno(bento_ioend_bio(ioend)->bi_status);
		/* io_size covers all that was merged; commit before writeback ends. */
		if (!err) {
			err = bento_commit(inode, ioend->io_offset, ioend->io_size,
					   bento_ioend_unwritten(ioend));
			if (err && bento_worth_keeping(inode, err))
				bento_redirty(inode, ioend->io_offset,
					      ioend->io_offset + ioend->io_size, false);
		}
		iomap_finish_ioends(ioend, err);
		/* The inode may be gone now, unless the list holds more of it. */
	}
	memalloc_nofs_restore(nofs);
}

/* Any context, also with folios locked: only queues. */
static void bento_ioend_bio_done(struct bio *bio)
{
	struct iomap_ioend *ioend = bento_ioend_from_bio(bio);
	struct bento_inode *bi = BENTO_I(ioend->io_inode);
	unsigned long irq;

	spin_lock_irqsave(&bi->ioend_lock, irq);
	if (list_empty(&bi->ioend_list))
		queue_work(bento_wq, &bi->ioend_work);
	list_add_tail(&ioend->io_list, &bi->ioend_list);
	spin_unlock_irqrestore(&bi->ioend_lock, irq);
}

/* A plain overwrite changes nothing but data. */
static bool bento_ioend_needs_commit(struct iomap_ioend *ioend)
{
	return bento_ioend_unwritten(ioend) || ioend->io_offset + ioend->io_size >
					       READ_ONCE(BENTO_I(ioend->io_inode)->disk_size);
}

static int bento_writeback_map(struct bento_wpc *wpc, struct inode *inode, loff_t pos, u64 len)
{
	struct bento_inode *bi = BENTO_I(inode);
	struct iomap *iomap = &wpc->ctx.iomap;
	unsigned int flags = BENTO_MAP_NOKILL;
	struct bento_map map;
	int err;

	/* iomap never compares the cookie of a mapping that it caches for writeback. */
	if (pos >= iomap->offset && pos < iomap->offset + iomap->length &&
	    iomap->validity_cookie == bento_map_seq(inode))
		return 0;
	/*
	 * Dirty data in a hole is normally beyond the end of the file (stores through
	 * mmap) or was never dirty (6.1 visits whole folios). After a repair it is data
	 * whose space was lost with the transaction that took it.
	 */
	if (READ_ONCE(bi->repaired))
		flags |= BENTO_MAP_ALLOCATE;
	err = bento_map(inode, pos, len, flags, &map);
	if (err) {
		wpc->failed_from = min_t(loff_t, wpc->failed_from, pos);
		wpc->failed_to = max_t(loff_t, wpc->failed_to, pos + len);
		return err;
	}
	bento_fill_iomap(inode, &map, iomap);
	return 0;
}

#if BENTO_HAS_WRITEBACK_RANGE
static ssize_t bento_writeback_range(struct iomap_writepage_ctx *ctx, struct folio *folio,
				     u64 pos, unsigned int len, u64 end_pos)
{
	struct bento_wpc *wpc = container_of(ctx, struct bento_wpc, ctx);
	int err = bento_writeback_map(wpc, ctx->inode, pos, len);

	return err ? err : iomap_add_to_ioend(ctx, folio, pos, end_pos, len);
}

static int bento_writeback_submit(struct iomap_writepage_ctx *ctx, int error)
{
	struct iomap_ioend *ioend = ctx->wb_ctx;

	bento_data_submitted(ctx->inode);
	if (bento_ioend_needs_commit(ioend)) {
		ioend->io_bio.bi_end_io = bento_ioend_bio_done;
		bento_bio_end_anywhere(&ioend->io_bio);
	}
	return iomap_ioend_writeback_submit(ctx, error);
}

static const struct iomap_writeback_ops bento_writeback_ops = {
	.writeback_range = bento_writeback_range,
	.writeback_submit = bento_writeback_submit,
};
#else
static int bento_map_blocks(struct iomap_writepage_ctx *ctx, struct inode *inode,
			    loff_t offset BENTO_MAP_BLOCKS_LEN)
{
	struct bento_wpc *wpc = container_of(ctx, struct bento_wpc, ctx);

	return bento_writeback_map(wpc, inode, offset, i_blocksize(inode));
}

static int bento_prepare_ioend(struct iomap_ioend *ioend, int status)
{
	bento_data_submitted(ioend->io_inode);
	if (bento_ioend_needs_commit(ioend))
		bento_ioend_bio(ioend)->bi_end_io = bento_ioend_bio_done;
	return status;
}

static const struct iomap_writeback_ops bento_writeback_ops = {
	.map_blocks = bento_map_blocks,
	.prepare_ioend = bento_prepare_ioend,
};
#endif

static int bento_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	struct bento_mount *bm = BENTO_M(inode->i_sb);
	struct bento_wpc wpc = { .failed_from = LLONG_MAX };
	int err = -EIO;

	/* A repair waits for whoever still uses what the failed instance has mapped. */
	atomic_inc(&bm->writing);
	smp_mb__after_atomic();
	/* Nothing reaches the device of a failed mount, and what is dirty must stay dirty. */
	if (bento_failed(bm))
		goto out;
	err = bento_fresh(inode);
	if (err)
		goto out;
	err = bento_iomap_writepages(mapping, wbc, &wpc.ctx, &bento_writeback_ops);
	if (err && bento_worth_keeping(inode, err))
		bento_redirty(inode, wpc.failed_from, wpc.failed_to, true);
out:
	if (atomic_dec_and_test(&bm->writing) && bento_failed(bm))
		wake_up_all(&bm->drain_wq);
	return err;
}

/* ------------------------------------------------------------ table */

static int bento_read_folio(struct file *file, struct folio *folio)
{
	return bento_iomap_read_folio(folio, &bento_iomap_ops);
}

static void bento_readahead(struct readahead_control *rac)
{
	bento_iomap_readahead(rac, &bento_iomap_ops);
}

static sector_t bento_bmap(struct address_space *mapping, sector_t block)
{
	return iomap_bmap(mapping, block, &bento_iomap_ops);
}

/* Pages go straight to the blocks of the file, which stay where they are: a file in use as
 * swap cannot be written, cut or removed. */
static int bento_swap_activate(struct swap_info_struct *sis, struct file *file, sector_t *span)
{
	return iomap_swapfile_activate(sis, file, span, &bento_iomap_ops);
}

const struct address_space_operations bento_mapped_aops = {
	.read_folio = bento_read_folio,
	.readahead = bento_readahead,
	.writepages = bento_writepages,
	.dirty_folio = bento_iomap_dirty_folio,
	.release_folio = iomap_release_folio,
	.invalidate_folio = iomap_invalidate_folio,
	.is_partially_uptodate = iomap_is_partially_uptodate,
	.migrate_folio = filemap_migrate_folio,
	.bmap = bento_bmap,
	.swap_activate = bento_swap_activate,
};
