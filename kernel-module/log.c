// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of a file system that records its use (BENTO_OPS_LOG), and the events of open files
 * (BENTO_OPS_EVENTS).
 *
 * The file system keeps records in memory. A work item of the mount fetches them, 250 ms after
 * the first or at once where many wait, and appends them to a file of the same file system
 * through the page cache, outside the gate. So do sync and upgrades. What cannot be appended is
 * dropped; the file system hears of it with the next fetch, and counts it in its log.
 *
 * Lock order: upgrade_mutex, log.lock, i_rwsem, and then that of file.c. An upgrade holds
 * log.lock from before its last fetch until the new instance serves.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/backing-dev.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "bentofs_i.h"

#define BENTO_LOG_DELAY		(HZ / 4)
/* How often dmesg hears of records that are dropped. */
#define BENTO_LOG_TELL		(60 * HZ)

/* Operations that a file system may record. */
#define BENTO_LOG_OPS								\
	(BIT_ULL(BENTO_OP_EVENT) | BIT_ULL(BENTO_OP_SETATTR) |			\
	 BIT_ULL(BENTO_OP_CREATE) | BIT_ULL(BENTO_OP_MKNOD) |			\
	 BIT_ULL(BENTO_OP_MKDIR) | BIT_ULL(BENTO_OP_SYMLINK) |			\
	 BIT_ULL(BENTO_OP_LINK) | BIT_ULL(BENTO_OP_UNLINK) |			\
	 BIT_ULL(BENTO_OP_RMDIR) | BIT_ULL(BENTO_OP_RENAME) | BIT_ULL(BENTO_OP_TMPFILE))

/* The owner's operations wait for no commit: the commit may wait for the owner. */
static void bento_log_lock(struct bento_log *log)
{
	mutex_lock(&log->lock);
	WRITE_ONCE(log->owner, current);
}

static void bento_log_unlock(struct bento_log *log)
{
	WRITE_ONCE(log->owner, NULL);
	mutex_unlock(&log->lock);
}

/* ------------------------------------------------------------------ events */

static void bento_file_event(struct file *file, u32 kind)
{
	struct bento_call call __uninitialized;
	u64 node;

	/* It is the file's user who is recorded, not the event that is allowed: errors end here. */
	if (bento_enter_inode(&call, BENTO_OP_EVENT, BENTO_ENTER_NOKILL, file_inode(file), &node))
		return;
	bento_trace(&call, file_inode(file)->i_ino, .a = kind);
	if (bento_has(&call, BENTO_OPS_EVENTS))
		bento_ops(&call)->event(&call.cx, call.fs, node, kind);
	bento_leave(&call, 0);
}

void bento_file_told(struct file *file, u32 kind)
{
	/* private_data of our files is free: one bit for each kind that is told once. */
	if (kind == BENTO_EVENT_OPEN || kind == BENTO_EVENT_RELEASE ||
	    !test_and_set_bit(kind, (unsigned long *)&file->private_data))
		bento_file_event(file, kind);
}

/* --------------------------------------------------------------- appending */

static int bento_log_reserve(struct inode *inode, loff_t pos, u32 len)
{
	struct bento_map map;
	loff_t end = pos + len;
	int err;

	for (; pos < end; pos = map.ext.offset + map.ext.len) {
		err = bento_map(inode, pos, end - pos, BENTO_MAP_ALLOCATE | BENTO_MAP_NOKILL,
				&map);
		if (err)
			return err;
	}
	return 0;
}

/* As much of @data as fits into one folio, which has its space. Returns the number of bytes. */
static int bento_log_copy(struct inode *inode, loff_t pos, const u8 *data, u32 len)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	void *to;
	u32 n;

	folio = read_mapping_folio(mapping, pos >> PAGE_SHIFT, NULL);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	folio_lock(folio);
	if (folio->mapping != mapping) {
		folio_unlock(folio);
		folio_put(folio);
		return 0;
	}
	folio_wait_stable(folio);
	n = min_t(u32, len, PAGE_SIZE - offset_in_page(pos));
	to = kmap_local_folio(folio, offset_in_folio(folio, pos));
	memcpy(to, data, n);
	flush_dcache_folio(folio);
	kunmap_local(to);
	folio_mark_dirty(folio);
	/* Before the folio can be written: writeback leaves out what is behind the end. */
	i_size_write(inode, pos + n);
	folio_unlock(folio);
	folio_put(folio);
	return n;
}

static int bento_log_empty(struct inode *inode)
{
	struct timespec64 now = current_time(inode);
	struct bento_setattr set = {
		.mask = BENTO_SET_SIZE | BENTO_SET_MTIME | BENTO_SET_CTIME,
		.mtime = bento_time(now), .ctime = bento_time(now),
	};

	return bento_truncate(inode, 0, &set);
}

static int bento_log_append_locked(struct inode *inode, const struct bento_log_drain *io,
				   const u8 *data)
{
	u32 done = 0;
	loff_t pos;
	int ret = 0;

	if (!S_ISREG(inode->i_mode))
		return -EUCLEAN;
	if (io->flags & BENTO_LOG_RESTART)
		ret = bento_log_empty(inode);
	pos = i_size_read(inode);
	if (!ret && pos > inode->i_sb->s_maxbytes - io->len)
		ret = -EFBIG;
	if (!ret)
		ret = bento_log_reserve(inode, pos, io->len);
	while (ret >= 0 && done < io->len) {
		ret = bento_log_copy(inode, pos + done, data + done, io->len - done);
		if (ret > 0)
			done += ret;
	}
	if (done) {
		struct timespec64 now = current_time(inode);

		bento_set_mtime(inode, now);
		bento_set_ctime(inode, now);
		mark_inode_dirty(inode);
	}
	return ret < 0 ? ret : 0;
}

static int bento_log_append(struct bento_mount *bm, const struct bento_log_drain *io,
			    const u8 *data)
{
	struct inode *inode = bento_iget(bm->sb, io->ino);
	int err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode_lock(inode);
	err = bento_log_append_locked(inode, io, data);
	inode_unlock(inode);
	if (!err)
		balance_dirty_pages_ratelimited(inode->i_mapping);
	iput(inode);
	return err;
}

/*
 * Appends, and tells of a failure. On a full disk small batches still fit where large ones do
 * not, so an appended one does not make the next failure news.
 */
static void bento_log_store(struct bento_mount *bm, const struct bento_log_drain *io)
{
	struct bento_log *log = &bm->log;

	log->result = bento_log_append(bm, io, log->buf);
	if (log->result && !bento_failed(bm) && __ratelimit(&log->limit))
		bento_err(bm, "log records are dropped (error %d) and counted in the log, until they can be stored again",
			  log->result);
}

/* ---------------------------------------------------------------- fetching */

/* Fetches one batch; inside a leaf call. */
static int bento_log_fetch(struct bento_call *call, struct bento_log_drain *io)
{
	struct bento_log *log = &call->bm->log;
	int err;

	*io = (struct bento_log_drain) { .result = log->result };
	err = bento_ops(call)->drain_log(&call->cx, call->fs, log->buf, BENTO_LOG_BATCH_MAX, io);
	if (!err && (io->len > BENTO_LOG_BATCH_MAX || (io->len && !io->ino)))
		err = -EIO;
	if (!err)
		log->result = 0;
	else
		io->len = 0;
	return err;
}

/* Returns 1 where more waits. */
static int bento_log_batch(struct bento_mount *bm)
{
	struct bento_log_drain io = { };
	struct bento_call call __uninitialized;
	int err;

	err = bento_enter(&call, BENTO_OP_DRAIN_LOG, BENTO_ENTER_NOKILL, bm);
	if (err)
		return err;
	bento_trace(&call, 0);
	err = bento_has(&call, BENTO_OPS_LOG) ? bento_log_fetch(&call, &io) : 0;
	err = bento_leave(&call, err);
	if (err || !io.len)
		return err;
	bento_log_store(bm, &io);
	return !!(io.flags & BENTO_LOG_MORE);
}

/* Their flags depend on the instance: a log is immutable for all but the one that keeps it. */
static void bento_log_refresh(struct bento_mount *bm)
{
	struct bento_attr attr;
	struct bento_call call __uninitialized;
	struct inode *inode;
	u64 node;
	u32 i;

	for (i = 0; i < bm->log.count; i++) {
		inode = ilookup(bm->sb, bm->log.inos[i]);
		if (!inode)
			continue;
		attr = (struct bento_attr) { };
		inode_lock(inode);
		if (!bento_enter_inode(&call, BENTO_OP_GETATTR, BENTO_ENTER_NOKILL, inode, &node)) {
			bento_trace(&call, inode->i_ino);
			if (!bento_ops(&call)->getattr(&call.cx, call.fs, node, &attr))
				bento_flags_apply(inode, attr.flags);
			bento_leave(&call, 0);
		}
		/* Pages that are mapped for writing ask again. */
		unmap_mapping_range(inode->i_mapping, 0, 0, 1);
		inode_unlock(inode);
		iput(inode);
	}
}

static int bento_leaf_start_log(struct bento_mount *bm, struct inode *root,
				struct bento_log_start *out, u32 *number)
{
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	err = bento_enter_inode(&call, BENTO_OP_START_LOG, BENTO_ENTER_NOKILL, root, &node);
	if (err)
		return err;
	bento_trace(&call, root->i_ino);
	*number = call.inst->number;
	if (bento_has(&call, BENTO_OPS_LOG)) {
		err = bento_ops(&call)->start_log(&call.cx, call.fs, node, out);
		bento_attr_refresh(&call, root, node, BENTO_APPLY_DIR);
	}
	return bento_leave(&call, err);
}

/* Once per instance: its log gets its files. */
static int bento_log_start(struct bento_mount *bm)
{
	struct inode *root = d_inode(bm->sb->s_root);
	struct bento_log *log = &bm->log;
	struct bento_log_start out = { };
	u32 number = 0;
	int err;

	inode_lock_nested(root, I_MUTEX_PARENT);
	err = bento_leaf_start_log(bm, root, &out, &number);
	inode_unlock(root);
	if (!err && out.count > BENTO_LOG_INODES_MAX)
		err = -EIO;
	if (err) {
		if (!bento_failed(bm) && __ratelimit(&log->limit))
			bento_err(bm, "the log cannot be started (error %d): nothing is recorded",
				  err);
		return err;
	}
	log->started = number;
	log->count = out.count;
	memcpy(log->inos, out.inos, sizeof(log->inos));
	/* A name that did not exist may be remembered as such. */
	if (out.made)
		shrink_dcache_sb(bm->sb);
	bento_log_refresh(bm);
	return 0;
}

/* With log.lock held: everything that waits. */
static void bento_log_drain(struct bento_mount *bm)
{
	struct bento_log *log = &bm->log;
	int ret = 0;

	if (!log->buf)
		log->buf = kvmalloc(BENTO_LOG_BATCH_MAX, GFP_KERNEL);
	if (!log->buf)
		return;
	if (log->started != READ_ONCE(bm->inst)->number)
		ret = bento_log_start(bm);
	if (!ret)
		do {
			ret = bento_log_batch(bm);
		} while (ret > 0);
	if (ret == -ENOENT)
		log->started = 0;
}

void bento_log_flush(struct bento_mount *bm)
{
	if (!READ_ONCE(bm->log.on) || bento_failed(bm))
		return;
	bento_log_lock(&bm->log);
	/* An upgrade may have come first. */
	if (READ_ONCE(bm->log.on))
		bento_log_drain(bm);
	bento_log_unlock(&bm->log);
}

/* Everything recorded so far is on the device, but for the file system's own commit. */
void bento_log_sync(struct bento_mount *bm)
{
	struct inode *inode;
	u32 i;

	if (!READ_ONCE(bm->log.on))
		return;
	bento_log_flush(bm);
	for (i = 0; i < BENTO_LOG_INODES_MAX; i++) {
		inode = bm->log.inos[i] ? ilookup(bm->sb, bm->log.inos[i]) : NULL;
		if (!inode)
			continue;
		/* An error stays in the mapping; who reads the log finds the gap in it. */
		filemap_write_and_wait(inode->i_mapping);
		iput(inode);
	}
}

static void bento_log_work(struct work_struct *work)
{
	struct bento_mount *bm = container_of(to_delayed_work(work), struct bento_mount, log.work);

	/* A thaw schedules it again, and so does the next record. */
	if (sb_rdonly(bm->sb) || !sb_start_intwrite_trylock(bm->sb))
		return;
	bento_log_flush(bm);
	sb_end_intwrite(bm->sb);
}

void bento_log_schedule(struct bento_mount *bm)
{
	if (READ_ONCE(bm->log.on) && !READ_ONCE(bm->log.stopped))
		mod_delayed_work(bento_wq, &bm->log.work, 0);
}

void bento_log_kick(struct bento_mount *bm, const struct bento_cx *cx)
{
	if (!(BIT_ULL(cx->op) & BENTO_LOG_OPS) || READ_ONCE(bm->log.stopped))
		return;
	if (cx->flags & BENTO_CX_DRAIN)
		mod_delayed_work(bento_wq, &bm->log.work, 0);
	else if (!delayed_work_pending(&bm->log.work))
		queue_delayed_work(bento_wq, &bm->log.work, BENTO_LOG_DELAY);
}

/* ---------------------------------------------------------------- upgrades */

/* Before an upgrade prepares. Pairs with bento_log_release(). */
void bento_log_hold(struct bento_mount *bm)
{
	bento_log_lock(&bm->log);
	bm->log.taken = (struct bento_log_drain) { };
	if (READ_ONCE(bm->log.on) && !bento_failed(bm) && !sb_rdonly(bm->sb))
		bento_log_drain(bm);
}

/* With the gate closed, before @old exports: what was recorded since. */
void bento_log_take(struct bento_inst *old)
{
	struct bento_mount *bm = old->bm;
	struct bento_call call __uninitialized;

	if (!READ_ONCE(bm->log.on) || !bm->log.buf || bm->log.started != old->number)
		return;
	bento_enter_inst(&call, BENTO_OP_DRAIN_LOG, old);
	bento_leave(&call, bento_log_fetch(&call, &bm->log.taken));
}

/* The instance in charge has changed, or is the first; in the pause of an upgrade. */
void bento_log_attach(struct bento_mount *bm, const struct bento_inst *inst)
{
	WRITE_ONCE(bm->file_events, inst->ops->ops & BENTO_OPS_EVENTS);
	WRITE_ONCE(bm->log.on, inst->ops->ops & BENTO_OPS_LOG);
}

/* With the gate open again, whatever came of the upgrade. */
void bento_log_release(struct bento_mount *bm)
{
	struct bento_log *log = &bm->log;

	if (log->taken.len && !bento_failed(bm))
		bento_log_store(bm, &log->taken);
	log->taken.len = 0;
	if (READ_ONCE(log->on)) {
		if (!bento_failed(bm) && !sb_rdonly(bm->sb))
			bento_log_drain(bm);
	} else if (log->count) {
		bento_log_refresh(bm);
		log->count = 0;
		memset(log->inos, 0, sizeof(log->inos));
	}
	bento_log_unlock(log);
}

void bento_log_init(struct bento_mount *bm)
{
	mutex_init(&bm->log.lock);
	ratelimit_state_init(&bm->log.limit, BENTO_LOG_TELL, 1);
	ratelimit_set_flags(&bm->log.limit, RATELIMIT_MSG_ON_RELEASE);
	INIT_DELAYED_WORK(&bm->log.work, bento_log_work);
}

/*
 * Before the inodes go; what still waits is fetched by the sync of the unmount. The unmount
 * itself writes inodes, which is recorded: that must not queue the work once more, for it would
 * run when @bm is gone. A work item that came before the flag may have queued it, hence the order.
 */
void bento_log_stop(struct bento_mount *bm)
{
	WRITE_ONCE(bm->log.stopped, true);
	flush_workqueue(bento_wq);
	cancel_delayed_work_sync(&bm->log.work);
}
