// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of the kernel for file systems: memory, messages, cached blocks, writes. The
 * contract of each function stands in include/bento_abi.h.
 *
 * Containment: once an instance failed, every service that reads or changes the device
 * answers -EIO, so that nothing half-done can reach it. What gives something back (free,
 * buf_put) works for ever, because destructors need it.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bentofs_i.h"

/* ------------------------------------------------------------------- memory */

/* kmalloc() aligns a power of two to its size, and everything above a page to a page. */
static bool bento_fit_size(u64 *size, u64 align)
{
	if (align > PAGE_SIZE || *size > INT_MAX / 2)
		return false;
	if (*size < align)
		*size = align;
	if (align > ARCH_KMALLOC_MINALIGN)
		*size = roundup_pow_of_two(*size);
	return true;
}

static void *bento_alloc(u64 size, u64 align, gfp_t zero)
{
	if (!bento_fit_size(&size, align))
		return NULL;
	return kvmalloc(size, GFP_KERNEL | __GFP_NOWARN | zero);
}

void *bento_ks_alloc(__u64 size, __u64 align)
{
	return bento_alloc(size, align, 0);
}
EXPORT_SYMBOL_GPL(bento_ks_alloc);

void *bento_ks_alloc_zeroed(__u64 size, __u64 align)
{
	return bento_alloc(size, align, __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(bento_ks_alloc_zeroed);

void *bento_ks_realloc(void *ptr, __u64 old_size, __u64 new_size, __u64 align)
{
	void *new;

	new = bento_alloc(new_size, align, 0);
	if (!new)
		return NULL;
	memcpy(new, ptr, min(old_size, new_size));
	kvfree(ptr);
	return new;
}
EXPORT_SYMBOL_GPL(bento_ks_realloc);

void bento_ks_free(void *ptr)
{
	kvfree(ptr);
}
EXPORT_SYMBOL_GPL(bento_ks_free);

/* ----------------------------------------------------------------- messages */

/* The mount that the running leaf call is for. */
static struct bento_mount *bento_current_mount(void)
{
	struct bento_cx *cx = bento_cx_find();

	return cx ? ((struct bento_inst *)(unsigned long)cx->inst)->bm : NULL;
}

/* Says how many lines were left out before this one. */
static void bento_log_missed(struct bento_mount *bm)
{
	int missed = atomic_xchg(&bm->log_missed, 0);

	if (unlikely(missed))
		bento_warn(bm, "%d messages suppressed", missed);
}

void bento_ks_log(struct bento_dev *dev, __u32 level, const __u8 *text, __u32 len)
{
	static DEFINE_RATELIMIT_STATE(no_mount, 5 * HZ, 20);
	struct ratelimit_state *limit = &no_mount;
	struct bento_mount *bm = dev ? dev->bm : bento_current_mount();
	const char *id = bm ? bm->id : "file system";
	int n = min(len, 512U);

	/* Chatter must not use up the lines of errors. */
	if (bm)
		limit = level <= 2 ? &bm->log_limit : &bm->info_limit;
	if (!__ratelimit(limit)) {
		if (bm)
			atomic_inc(&bm->log_missed);
		return;
	}
	if (bm)
		bento_log_missed(bm);
	/* %pE escapes what is not printable: a name on disk must not forge log lines. */
	switch (level) {
	case 1:
		pr_err("%s: %*pE\n", id, n, text);
		break;
	case 2:
		pr_warn("%s: %*pE\n", id, n, text);
		break;
	case 3:
		pr_info("%s: %*pE\n", id, n, text);
		break;
	default:
		pr_debug("%s: %*pE\n", id, n, text);
	}
}
EXPORT_SYMBOL_GPL(bento_ks_log);

/* ------------------------------------------------------------- cached blocks */

/* Common start of all device services: 0, 1 (panic now) or an error. */
static int bento_dev_check(struct bento_dev *dev)
{
	if (!dev->bdev || READ_ONCE(dev->inst->failed))
		return -EIO;
	might_sleep();
	return bento_inject_check(dev->inst);
}

__u64 bento_ks_dev_blocks(const struct bento_dev *dev)
{
	return dev->blocks;
}
EXPORT_SYMBOL_GPL(bento_ks_dev_blocks);

/* A read-only mount does not count: recovery writes, as far as the device allows. */
__u32 bento_ks_dev_read_only(const struct bento_dev *dev)
{
	return !dev->bdev || bdev_read_only(dev->bdev);
}
EXPORT_SYMBOL_GPL(bento_ks_dev_read_only);

/* Blocks of a reading ahead: 1 MiB with the one that is wanted. */
#define BENTO_READ_AHEAD_MAX	255U

/*
 * Buffers are never marked dirty, so the kernel never writes one. The lock word of a block
 * lives in b_private, which is NULL in a new buffer and which nobody else uses.
 */
static void bento_buf_fill(struct bento_buf *out, struct buffer_head *bh)
{
	out->handle = (u64)(unsigned long)bh;
	out->data = (u8 *)bh->b_data;
	out->lock = (u32 *)&bh->b_private;
}

/* The buffer of @block, with whatever it holds: 0, 1 (panic now) or an error. */
static int bento_buf_get(struct bento_dev *dev, u64 block, struct buffer_head **bh)
{
	int err;

	err = bento_dev_check(dev);
	if (err)
		return err;
	if (block >= dev->blocks)
		return -EIO;
	*bh = bento_getblk(dev->bdev, block, BENTO_BLOCK_SIZE);
	return *bh ? 0 : -ENOMEM;
}

/*
 * Reads @bh, and asks for what lies behind it: under one plug all of it becomes one request of
 * the device. What another task holds locked meanwhile is left to that task.
 */
static int bento_buf_fetch(struct bento_dev *dev, u64 block, u32 ahead, struct buffer_head *bh)
{
	u64 end = min(block + 1 + min(ahead, BENTO_READ_AHEAD_MAX), dev->blocks);
	struct buffer_head *next;
	struct blk_plug plug;

	blk_start_plug(&plug);
	bh_read_nowait(bh, REQ_META | REQ_PRIO);
	while (++block < end) {
		next = bento_getblk(dev->bdev, block, BENTO_BLOCK_SIZE);
		if (!next)
			break;
		bh_readahead(next, REQ_META | REQ_RAHEAD);
		brelse(next);
	}
	blk_finish_plug(&plug);
	wait_on_buffer(bh);
	return buffer_uptodate(bh) ? 0 : -EIO;
}

int bento_ks_buf_read(struct bento_dev *dev, __u64 block, __u32 ahead, struct bento_buf *out)
{
	struct buffer_head *bh;
	int err;

	err = bento_buf_get(dev, block, &bh);
	if (err)
		return err;
	if (!buffer_uptodate(bh)) {
		err = bento_buf_fetch(dev, block, ahead, bh);
		if (err) {
			brelse(bh);
			return err;
		}
	}
	bento_buf_fill(out, bh);
	return 0;
}
EXPORT_SYMBOL_GPL(bento_ks_buf_read);

int bento_ks_buf_zeroed(struct bento_dev *dev, __u64 block, struct bento_buf *out)
{
	struct buffer_head *bh;
	int err;

	err = bento_buf_get(dev, block, &bh);
	if (err)
		return err;
	lock_buffer(bh);
	memset(bh->b_data, 0, BENTO_BLOCK_SIZE);
	set_buffer_uptodate(bh);
	unlock_buffer(bh);
	bento_buf_fill(out, bh);
	return 0;
}
EXPORT_SYMBOL_GPL(bento_ks_buf_zeroed);

void bento_ks_buf_get(__u64 handle)
{
	get_bh((struct buffer_head *)(unsigned long)handle);
}
EXPORT_SYMBOL_GPL(bento_ks_buf_get);

void bento_ks_buf_put(__u64 handle)
{
	brelse((struct buffer_head *)(unsigned long)handle);
}
EXPORT_SYMBOL_GPL(bento_ks_buf_put);

/* -------------------------------------------------------------------- writes */

/* One bento_ks_write(), on its stack until all its bios have ended. */
struct bento_batch {
	struct bento_dev *dev;
	const struct bento_write *writes;
	u32 count;
	blk_opf_t opf;
	atomic_t pending;		/* bios, and one for the submitter */
	int error;			/* first error of a bio */
	struct page *copies;		/* linked by page_private, freed at the end */
	struct completion done;
};

static void bento_batch_put(struct bento_batch *batch)
{
	if (atomic_dec_and_test(&batch->pending))
		complete(&batch->done);
}

static void bento_batch_end_io(struct bio *bio)
{
	struct bento_batch *batch = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&batch->error, 0, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	bento_batch_put(batch);
}

/* The page that holds @data; a copy where @data does not fill a page of its own. */
static struct page *bento_data_page(struct bento_batch *batch, const u8 *data)
{
	struct page *page;

	if (IS_ALIGNED((unsigned long)data, PAGE_SIZE)) {
		if (is_vmalloc_addr(data))
			return vmalloc_to_page(data);
		if (virt_addr_valid(data))
			return virt_to_page(data);
	}
	page = alloc_page(GFP_NOFS);
	if (!page)
		return NULL;
	memcpy(page_address(page), data, BENTO_BLOCK_SIZE);
	set_page_private(page, (unsigned long)batch->copies);
	batch->copies = page;
	return page;
}

static void bento_free_copies(struct page *page)
{
	while (page) {
		struct page *next = (struct page *)page_private(page);

		set_page_private(page, 0);
		__free_page(page);
		page = next;
	}
}

/* Submits one bio with as many adjacent blocks from @first on as it takes: how many. */
static int bento_batch_submit(struct bento_batch *batch, u32 first)
{
	const struct bento_write *w = batch->writes + first;
	u32 left = batch->count - first, run = 1, n;
	struct page *page;
	struct bio *bio;

	while (run < left && run < BIO_MAX_VECS && w[run].block == w[0].block + run)
		run++;
	bio = bio_alloc(batch->dev->bdev, run, batch->opf, GFP_NOFS);
	bio->bi_iter.bi_sector = w[0].block << (BENTO_BLOCK_BITS - SECTOR_SHIFT);
	bio->bi_end_io = bento_batch_end_io;
	bio->bi_private = batch;
	for (n = 0; n < run; n++) {
		page = bento_data_page(batch, w[n].data);
		if (!page || !bio_add_page(bio, page, BENTO_BLOCK_SIZE, 0))
			break;
	}
	if (!n) {
		bio_put(bio);
		return -ENOMEM;
	}
	atomic_inc(&batch->pending);
	submit_bio(bio);
	return n;
}

/*
 * Flushes that have nothing to do are left out: @written counts writes that have ended, and
 * @flushed is what it was when the last flush began that succeeded.
 */
void bento_count_write(struct bento_mount *bm)
{
	atomic64_inc(&bm->written);
}

static void bento_note_flushed(struct bento_mount *bm, s64 written)
{
	s64 old = atomic64_read(&bm->flushed);

	while (old < written && !atomic64_try_cmpxchg(&bm->flushed, &old, written))
		;
}

static int bento_write_check(struct bento_dev *dev, const struct bento_write *writes, u32 count)
{
	u32 i;

	if (bdev_read_only(dev->bdev))
		return -EROFS;
	for (i = 0; i < count; i++)
		if (writes[i].block >= dev->blocks)
			return -EIO;
	return 0;
}

int bento_ks_write(struct bento_dev *dev, const struct bento_write *writes, __u32 count,
		   __u32 flags)
{
	struct bento_batch batch = {
		.dev = dev,
		.writes = writes,
		.count = count,
		.opf = REQ_OP_WRITE | REQ_META | REQ_SYNC,
		.pending = ATOMIC_INIT(1),
		.done = COMPLETION_INITIALIZER_ONSTACK(batch.done),
	};
	s64 before = atomic64_read(&dev->bm->written);
	struct blk_plug plug;
	bool barrier;
	int err, n = 0;
	u32 i;

	err = bento_dev_check(dev) ?: bento_write_check(dev, writes, count);
	if (err || !count)
		return err;
	barrier = flags & BENTO_WRITE_BARRIER && !READ_ONCE(dev->bm->opt.nobarrier);
	if (barrier) {
		batch.opf |= REQ_FUA;
		/* One block, the usual case, carries the flush; several wait for one flush. */
		if (count == 1)
			batch.opf |= REQ_PREFLUSH;
		else
			err = blkdev_issue_flush(dev->bdev);
		if (err)
			return err;
	}
	blk_start_plug(&plug);
	for (i = 0; i < count; i += n) {
		n = bento_batch_submit(&batch, i);
		if (n < 0)
			break;
	}
	blk_finish_plug(&plug);
	bento_batch_put(&batch);
	wait_for_completion_io(&batch.done);
	bento_free_copies(batch.copies);
	err = n < 0 ? n : batch.error;
	/* A part may be there even if it failed. */
	if (barrier && !err)
		bento_note_flushed(dev->bm, before);
	else
		bento_count_write(dev->bm);
	return err;
}
EXPORT_SYMBOL_GPL(bento_ks_write);

int bento_ks_flush(struct bento_dev *dev)
{
	s64 written = atomic64_read(&dev->bm->written);
	int err;

	err = bento_dev_check(dev);
	if (err)
		return err;
	if (bdev_read_only(dev->bdev) || READ_ONCE(dev->bm->opt.nobarrier))
		return 0;
	if (written == atomic64_read(&dev->bm->flushed))
		return 0;
	err = blkdev_issue_flush(dev->bdev);
	if (!err)
		bento_note_flushed(dev->bm, written);
	return err;
}
EXPORT_SYMBOL_GPL(bento_ks_flush);

int bento_ks_discard(struct bento_dev *dev, __u64 block, __u64 count)
{
	const unsigned int shift = BENTO_BLOCK_BITS - SECTOR_SHIFT;
	int err;

	err = bento_dev_check(dev);
	if (err)
		return err;
	if (dev->inst->rdonly || bdev_read_only(dev->bdev))
		return -EROFS;
	if (block > dev->blocks || count > dev->blocks - block)
		return -EIO;
	if (!bdev_max_discard_sectors(dev->bdev))
		return -EOPNOTSUPP;
	return blkdev_issue_discard(dev->bdev, block << shift, count << shift, GFP_NOFS);
}
EXPORT_SYMBOL_GPL(bento_ks_discard);

/* ------------------------------------------------------------ exported state */

int bento_ks_state_write(struct bento_state *state, const __u8 *data, __u64 len)
{
	struct bento_cx *cx = bento_cx_find();
	u64 cap = state->cap;
	u8 *bigger;
	int err;

	err = cx ? bento_inject_check((struct bento_inst *)(unsigned long)cx->inst) : -EIO;
	if (err)
		return err;
	if (len > BENTO_STATE_MAX || state->len + len > BENTO_STATE_MAX)
		return -E2BIG;
	while (cap < state->len + len)
		cap *= 2;
	if (cap != state->cap) {
		bigger = kvmalloc(cap, GFP_KERNEL | __GFP_NOWARN);
		if (!bigger)
			return -ENOMEM;
		memcpy(bigger, state->data, state->len);
		kvfree(state->data);
		state->data = bigger;
		state->cap = cap;
	}
	memcpy(state->data + state->len, data, len);
	state->len += len;
	return 0;
}
EXPORT_SYMBOL_GPL(bento_ks_state_write);
