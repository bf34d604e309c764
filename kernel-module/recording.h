/* SPDX-License-Identifier: GPL-2.0-only */
/* The log of a file system that records its use (log.c). Part of bentofs_i.h, which includes it. */
#ifndef _BENTOFS_RECORDING_H
#define _BENTOFS_RECORDING_H

void bento_log_init(struct bento_mount *bm);
void bento_log_stop(struct bento_mount *bm);
void bento_log_attach(struct bento_mount *bm, const struct bento_inst *inst);
/* The work item, now; and, after a leaf call, soon, where it may have been recorded. */
void bento_log_schedule(struct bento_mount *bm);
void bento_log_kick(struct bento_mount *bm, const struct bento_cx *cx);
/* Into the page cache; and on to the device. May start transactions; no lock is held. */
void bento_log_flush(struct bento_mount *bm);
void bento_log_sync(struct bento_mount *bm);
/* Around an upgrade; see the comments there. */
void bento_log_hold(struct bento_mount *bm);
void bento_log_take(struct bento_inst *old);
void bento_log_release(struct bento_mount *bm);

void bento_file_told(struct file *file, u32 kind);

/* Is there somebody who wants to know what happens to open files? One load where not. */
static inline bool bento_file_watched(const struct file *file)
{
	return unlikely(READ_ONCE(BENTO_M(file_inode(file)->i_sb)->file_events));
}

/* Has the first read or write still to be told? */
static inline bool bento_file_due(const struct file *file, u32 kind)
{
	return bento_file_watched(file) &&
	       !test_bit(kind, (const unsigned long *)&file->private_data);
}

/* A file was opened, read ... (@kind: BENTO_EVENT_*). Sleeps where that is recorded. */
static inline void bento_file_used(struct file *file, u32 kind)
{
	if (bento_file_watched(file))
		bento_file_told(file, kind);
}

/* A file was mapped; @shared: stores may come, where it is open for writing. */
static inline void bento_file_mapped(struct file *file, bool shared)
{
	bento_file_used(file, BENTO_EVENT_FIRST_READ);
	if (shared && file->f_mode & FMODE_WRITE)
		bento_file_used(file, BENTO_EVENT_FIRST_WRITE);
}

#endif /* _BENTOFS_RECORDING_H */
