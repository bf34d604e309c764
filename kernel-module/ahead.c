// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space taken ahead: a file that grows write by write gets its next blocks by one call.
 *
 * From the fifth append of one size on, and the third since the file was closed by its last
 * writer, more space is asked for than is written: as much as the file has, between 64 KiB and
 * 1 MiB. (Who opens a file for a line or two, as a log, would give it back each time.) It is
 * unwritten, so nothing else changes: the appends that follow find it in bento_inode.last and
 * call nobody, and data becomes readable by its commit as ever. A crash leaves it behind the end
 * of the file, where it shows nothing.
 *
 * Everything between the end of the file and bento_inode.ahead_end was taken so, or is a hole:
 * the next append begins at the end, and whoever else touches what lies behind the end, as
 * fallocate does, gives the space back first. The last writer who closes the file gives it back.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include "bentofs_i.h"

#define BENTO_AHEAD_MIN	(64U << 10)
#define BENTO_AHEAD_MAX	(1U << 20)
/* One taking may be so large a part of the free space. */
#define BENTO_AHEAD_SHARE	64
/* So many appends since the last close get what they ask for and no more. */
#define BENTO_AHEAD_AFTER	2

/* Is a write of @len bytes at @pos one append of several? It is counted. Caller holds i_rwsem. */
bool bento_ahead_wanted(struct inode *inode, loff_t pos, u64 len)
{
	struct bento_inode *bi = BENTO_I(inode);
	u8 appends = READ_ONCE(bi->appends);

	if (pos != i_size_read(inode))
		return false;
	if (appends < BENTO_AHEAD_AFTER) {
		WRITE_ONCE(bi->appends, appends + 1);
		return false;
	}
	return pos >= BENTO_AHEAD_MIN / 4 && len < BENTO_AHEAD_MAX && (u64)pos >= 4 * len;
}

/**
 * bento_ahead_len() - how much to ask for
 * @call: the leaf call that will allocate
 * @pos: where the file ends, bytes; a multiple of the block size
 * @len: what is written there, bytes
 *
 * No more than the file is long already, and little of what is free: others want to write, too.
 * Return: bytes, >= @len.
 */
u64 bento_ahead_len(struct bento_call *call, u64 pos, u64 len)
{
	u64 want = clamp_t(u64, pos, BENTO_AHEAD_MIN, BENTO_AHEAD_MAX);
	struct bento_statfs stat = { };

	/* Without it nothing could be given back. */
	if (want <= len || !bento_has(call, BENTO_OPS_FALLOCATE))
		return len;
	if (bento_ops(call)->statfs(&call->cx, call->fs, &stat))
		return len;
	want = min(want, stat.blocks_available / BENTO_AHEAD_SHARE * BENTO_BLOCK_SIZE);
	return max(want, len);
}

/**
 * bento_ahead_release() - gives back what was taken ahead
 * @inode: regular file; i_rwsem is held exclusively, or nobody uses the inode any more
 *
 * What cannot be given back now stays behind the end until the file is cut or grows over it.
 * Sleeps.
 */
void bento_ahead_release(struct inode *inode)
{
	struct bento_inode *bi = BENTO_I(inode);
	loff_t from = round_up(i_size_read(inode), i_blocksize(inode)), to = bi->ahead_end;

	if (!to)
		return;
	WRITE_ONCE(bi->ahead_end, 0);
	bento_leaf_fallocate(inode, BENTO_FALLOC_PUNCH, from, to, 0);
}

/* A file that was open for writing is being closed. */
void bento_ahead_close(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;

	if (atomic_read(&inode->i_writecount) > 1)
		return;
	/* Without i_rwsem: what counts at this moment is lost or stays, and either will do. */
	WRITE_ONCE(BENTO_I(inode)->appends, 0);
	if (likely(!READ_ONCE(BENTO_I(inode)->ahead_end)))
		return;
	/* Where one of these would have to wait, the eviction of the inode does it. */
	if (!sb_start_write_trylock(sb))
		return;
	if (inode_trylock(inode)) {
		bento_ahead_release(inode);
		inode_unlock(inode);
	}
	sb_end_write(sb);
}

/* The inode leaves memory, and has a name. */
void bento_ahead_evict(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;

	if (likely(!BENTO_I(inode)->ahead_end) || sb_rdonly(sb) || bento_failed(BENTO_M(sb)))
		return;
	/* Not behind a frozen file system: this may be a task that needs memory. */
	if (!sb_start_intwrite_trylock(sb))
		return;
	bento_ahead_release(inode);
	sb_end_intwrite(sb);
}
