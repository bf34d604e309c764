/* SPDX-License-Identifier: GPL-2.0-only */
/* Repair of a failed mount (repair.c). Part of bentofs_i.h, which includes it. */
#ifndef _BENTOFS_REPAIR_H
#define _BENTOFS_REPAIR_H

void bento_repair_init(struct bento_mount *bm);
/* The instance in charge has failed: what follows of it is done by a worker. Any context. */
void bento_settle_begin(struct bento_mount *bm);

/* Has that been done? Under upgrade_mutex, or with the gate closed. */
static inline bool bento_settled(const struct bento_mount *bm)
{
	return READ_ONCE(bm->settled) == bm->inst->number;
}

/* Waits for it; the gate is open. -ETIMEDOUT, -EINTR. */
int bento_settle(struct bento_mount *bm);

/* Inodes without a name that nobody uses, as a repair found them. */
struct bento_orphans {
	u64 *inos;			/* kmalloc */
	u32 count;
};

/*
 * With the gate closed, after bento_settle(): ends @old and mounts @new. All inodes are stale
 * from then on. After an error the mount stays failed, with an empty instance.
 */
int bento_repair(struct bento_inst *old, struct bento_inst *new, struct bento_orphans *orphans,
		 u32 flags);
/* Afterwards, with the gate open: fits what is in use to what is on disk. */
void bento_repair_walk(struct bento_mount *bm, struct bento_orphans *orphans);
/* Waits until that has ended; for who relies on all data that was accepted. */
void bento_repair_wait(struct bento_mount *bm);

#endif /* _BENTOFS_REPAIR_H */
