// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the bytes of a file lie: the only callers of map, allocate and commit.
 *
 * bi->map_sem is taken before the gate and never inside it. Whoever changes extents
 * holds it exclusively and moves bi->map_seq before letting go, so a sequence number
 * read under it names exactly one state of the extents. The last extent is remembered
 * together with that number (and the mount's count of repairs): sequential I/O asks the file system once per extent.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include "bentofs_i.h"

/* Is @ext a possible answer for byte @pos? Nothing outside the device may be touched. */
static bool bento_extent_ok(struct inode *inode, const struct bento_extent *ext, u64 pos)
{
	u64 mask = i_blocksize(inode) - 1, dev = bdev_nr_bytes(inode->i_sb->s_bdev);

	if ((ext->offset | ext->len) & mask)
		return false;
	if (!ext->len || ext->len > LLONG_MAX || ext->offset > LLONG_MAX - ext->len)
		return false;
	if (pos < ext->offset || pos - ext->offset >= ext->len)
		return false;
	if (ext->kind == BENTO_EXTENT_HOLE)
		return !ext->is_new;
	if (ext->kind != BENTO_EXTENT_MAPPED && ext->kind != BENTO_EXTENT_UNWRITTEN)
		return false;
	/* Fresh blocks that count as written would show what they held before. */
	if (ext->is_new && ext->kind != BENTO_EXTENT_UNWRITTEN)
		return false;
	/* Block 0 holds the superblock of every file system that we host. */
	return ext->addr && !(ext->addr & mask) && ext->addr <= dev && ext->len <= dev - ext->addr;
}

static int bento_check_extent(struct bento_call *call, struct inode *inode,
			      const struct bento_extent *ext, u64 pos, bool alloc)
{
	if (likely(bento_extent_ok(inode, ext, pos) &&
		   !(alloc && ext->kind == BENTO_EXTENT_HOLE)))
		return 0;
	if (__ratelimit(&call->bm->log_limit))
		bento_err(call->bm,
			  "%s of inode %llu at byte %llu: impossible extent (offset %llu, length %llu, address %llu, kind %u, new %u); run fsck",
			  alloc ? "allocate" : "map", (u64)inode->i_ino, pos, ext->offset,
			  ext->len, ext->addr, ext->kind, ext->is_new);
	return -EUCLEAN;
}

static void bento_map_remember(struct bento_inode *bi, const struct bento_map *map)
{
	spin_lock(&bi->last_lock);
	bi->last = *map;
	spin_unlock(&bi->last_lock);
}

/* Without a lock that could sleep; false: ask the file system. */
static bool bento_map_recall(struct inode *inode, u64 pos, struct bento_map *map)
{
	struct bento_inode *bi = BENTO_I(inode);
	bool hit;

	spin_lock(&bi->last_lock);
	*map = bi->last;
	spin_unlock(&bi->last_lock);
	hit = map->ext.len && map->seq == bento_map_seq(inode) &&
	      pos >= map->ext.offset && pos - map->ext.offset < map->ext.len;
	map->ext.is_new = 0;
	return hit;
}

/* Blocks come and go with allocate(); asking is exact where counting would guess. */
void bento_refresh_blocks(struct bento_call *call, struct inode *inode, u64 node)
{
	struct bento_attr attr = { };

	if (bento_ops(call)->getattr(&call->cx, call->fs, node, &attr))
		return;
	spin_lock(&inode->i_lock);
	inode->i_blocks = attr.blocks;
	spin_unlock(&inode->i_lock);
}

/*
 * One question to the file system. Caller holds map_sem: exclusively to allocate, else at
 * least shared. The sequence number is read and moved inside the gate, because a repair
 * moves it while the gate is closed.
 */
static int bento_map_ask(struct inode *inode, u64 pos, u64 len, unsigned int flags,
			 struct bento_map *map)
{
	struct bento_inode *bi = BENTO_I(inode);
	u64 mask = i_blocksize(inode) - 1, start = pos & ~mask;
	u64 end = min_t(u64, pos + len, inode->i_sb->s_maxbytes);
	bool alloc = flags & BENTO_MAP_ALLOCATE;
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	memset(&map->ext, 0, sizeof(map->ext));
	len = ((end + mask) & ~mask) - start;
	err = bento_enter_inode(&call, alloc ? BENTO_OP_ALLOCATE : BENTO_OP_MAP,
				flags & BENTO_MAP_NOKILL ? BENTO_ENTER_NOKILL : 0, inode, &node);
	if (err)
		return err;
	bento_trace(&call, inode->i_ino, .a = start, .b = len);
	if (!alloc) {
		err = bento_ops(&call)->map(&call.cx, call.fs, node, start, len, &map->ext);
	} else if (!bento_has(&call, BENTO_OPS_ALLOCATE)) {
		err = -EROFS;
	} else {
		if (flags & BENTO_MAP_AHEAD)
			len = bento_ahead_len(&call, start, len);
		err = bento_ops(&call)->allocate(&call.cx, call.fs, node, start, len, &map->ext);
		/* Also after an error: part of the work may have been done. */
		WRITE_ONCE(bi->map_seq, bi->map_seq + 1);
		if (!err && map->ext.is_new)
			bento_refresh_blocks(&call, inode, node);
	}
	if (!err) {
		bento_inject_damage(call.bm, call.cx.op, &map->ext, sizeof(map->ext));
		err = bento_check_extent(&call, inode, &map->ext, pos, alloc);
	}
	if (!err && alloc && flags & BENTO_MAP_AHEAD && map->ext.is_new)
		WRITE_ONCE(bi->ahead_end, max_t(loff_t, bi->ahead_end,
						map->ext.offset + map->ext.len));
	map->seq = bento_map_seq(inode);
	err = bento_leave(&call, err);
	if (!err)
		bento_map_remember(bi, map);
	return err;
}

/**
 * bento_map() - the extent around a byte of a file
 * @inode: regular file of a mapped file system
 * @pos: byte
 * @len: how much the caller is interested in, > 0
 * @flags: BENTO_MAP_*
 * @map: the extent, which contains @pos, and the sequence number that it is valid for
 *
 * With BENTO_MAP_ALLOCATE a hole is filled with unwritten space, with BENTO_MAP_AHEAD also one
 * behind @pos + @len (i_rwsem is held then). Sleeps, unless
 * BENTO_MAP_NOWAIT is given. The caller may hold folio locks; it holds no lock of the
 * extents. Return: 0, -EAGAIN (NOWAIT), -ENOSPC, -EFBIG, -EIO, -EUCLEAN, -EINTR.
 */
int bento_map(struct inode *inode, u64 pos, u64 len, unsigned int flags, struct bento_map *map)
{
	struct bento_inode *bi = BENTO_I(inode);
	int err = 0;

	/* No new data I/O by extents that a repair may give to other files. */
	if (unlikely(bento_failed(BENTO_M(inode->i_sb))) &&
	    (flags & (BENTO_MAP_NOWAIT | BENTO_MAP_NOREPAIR) ||
	     !bento_await_repair(BENTO_M(inode->i_sb),
				 flags & BENTO_MAP_NOKILL ? BENTO_ENTER_NOKILL : 0)))
		return -EIO;
	if (bento_map_recall(inode, pos, map) &&
	    !(flags & BENTO_MAP_ALLOCATE && map->ext.kind == BENTO_EXTENT_HOLE))
		return 0;
	if (flags & BENTO_MAP_NOWAIT)
		return -EAGAIN;
	if (!(flags & BENTO_MAP_ALLOCATE)) {
		down_read(&bi->map_sem);
		err = bento_map_ask(inode, pos, len, flags, map);
		up_read(&bi->map_sem);
		return err;
	}
	/* Look before taking it exclusively, except where nothing can be mapped. */
	if (pos < max_t(loff_t, i_size_read(inode), READ_ONCE(bi->ahead_end))) {
		down_read(&bi->map_sem);
		err = bento_map_ask(inode, pos, len, flags & ~BENTO_MAP_ALLOCATE, map);
		up_read(&bi->map_sem);
		if (err || map->ext.kind != BENTO_EXTENT_HOLE)
			return err;
	}
	down_write(&bi->map_sem);
	err = bento_map_ask(inode, pos, len, flags, map);
	up_write(&bi->map_sem);
	return err;
}

/**
 * bento_commit() - data has reached the device
 * @inode: regular file of a mapped file system
 * @off: first byte, >= 0
 * @len: bytes; nothing happens for <= 0
 * @unwritten: some of the range was written to unwritten space
 *
 * Makes the range readable after a crash and moves the size on disk, never beyond the
 * size in use. Sleeps; call it in a NOFS scope and without folio locks.
 * Return: 0 or what the file system answered.
 */
int bento_commit(struct inode *inode, loff_t off, loff_t len, bool unwritten)
{
	struct bento_inode *bi = BENTO_I(inode);
	u64 mask = i_blocksize(inode) - 1, start, end, node;
	struct bento_call call __uninitialized;
	loff_t size;
	int err = 0;

	if (len <= 0)
		return 0;
	start = off & ~mask;
	end = (off + len + mask) & ~mask;
	down_write(&bi->map_sem);
	size = min_t(loff_t, i_size_read(inode), off + len);
	if (!unwritten && size <= bi->disk_size && !bento_stale(inode))
		goto unlock;
	err = bento_enter_inode(&call, BENTO_OP_COMMIT, BENTO_ENTER_NOKILL, inode, &node);
	if (err)
		goto unlock;
	bento_trace(&call, inode->i_ino, .a = start, .b = end - start, .c = size);
	err = bento_ops(&call)->commit(&call.cx, call.fs, node, start, end - start, size);
	WRITE_ONCE(bi->map_seq, bi->map_seq + 1);
	if (!err) {
		if (size > bi->disk_size)
			WRITE_ONCE(bi->disk_size, size);
		bento_refresh_blocks(&call, inode, node);
	}
	err = bento_leave(&call, err);
unlock:
	up_write(&bi->map_sem);
	return err;
}
