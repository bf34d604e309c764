/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaf calls: gate.c, node.c. A part of bentofs_i.h, which has their rules and includes it
 * where mounts and inodes are known.
 */
#ifndef _BENTOFS_GATE_H
#define _BENTOFS_GATE_H

/* One leaf call, on the stack of the caller. */
struct bento_call {
	struct bento_cx cx;
	struct bento_mount *bm;
	struct bento_inst *inst;
	u64 fs;				/* inst->fs */
	unsigned int nofs;
	bool gated;			/* holds bm->gate */
	bool watched;			/* these three only while somebody observes (start != 0) */
	bool told;
	struct list_head watch_link;
	u64 start;			/* ns of ktime; 0: nobody observes */
	u64 made;			/* inode number that the call found or made, for tracing */
};

/* bento_enter() flags */
#define BENTO_ENTER_NOKILL	(1U << 0)	/* a fatal signal does not end the wait at the gate */

/*
 * Starts a leaf call: waits at the gate while an upgrade runs, opens the NOFS scope and
 * fills the context (ids of the caller, current time, where the operation cares; callers may
 * overwrite cx.uid, cx.gid). May sleep. Returns 0, -EIO (instance failed) or, without NOKILL, -EINTR.
 */
int bento_enter(struct bento_call *call, u32 op, u32 flags, struct bento_mount *bm);

/*
 * Ends a leaf call. @ret is the result of the operation; returns it, cut to what the ABI
 * allows (-EIO for anything below -4095).
 */
int bento_leave(struct bento_call *call, int ret);

/*
 * The node of @inode in the instance of @call; loads it where it is missing or belongs to
 * an earlier instance. Sleeps only for I/O of the file system. Errors: those of load();
 * -ESTALE also where the inode now is another one (generation or type differ).
 */
int bento_node_load(struct bento_call *call, struct inode *inode, u64 *node);

static inline int bento_node(struct bento_call *call, struct inode *inode, u64 *node)
{
	struct bento_inode *bi = BENTO_I(inode);

	if (likely(smp_load_acquire(&bi->node_inst) == call->inst)) {
		*node = bi->node;
		return 0;
	}
	return bento_node_load(call, inode, node);
}

static inline bool bento_stale(const struct inode *inode)
{
	return unlikely(smp_load_acquire(&BENTO_I(inode)->epoch) !=
			READ_ONCE(BENTO_M(inode->i_sb)->epoch));
}

/* No leaf call will find it, now and later. */
static inline bool bento_is_bad(struct inode *inode)
{
	return is_bad_inode(inode) || READ_ONCE(BENTO_I(inode)->gone);
}

/* Fits a stale inode to the disk. -ESTALE: it is gone, and bad from now on; or other errors. */
int bento_refit(struct inode *inode);

/* Before attributes of @inode are used that no leaf call brings. Outside leaf calls. */
static inline int bento_fresh(struct inode *inode)
{
	return bento_stale(inode) ? bento_refit(inode) : 0;
}

/* bento_enter() + bento_node(); after an error nothing is held. */
int bento_enter_inode(struct bento_call *call, u32 op, u32 flags, struct inode *inode,
		      u64 *node);

static inline const struct bento_fs_ops *bento_ops(const struct bento_call *call)
{
	return call->inst->ops;
}

/* Does the instance of this call implement BENTO_OPS_*? (An upgrade may change it.) */
static inline bool bento_has(const struct bento_call *call, u64 ops)
{
	return (call->inst->ops->ops & ops) == ops;
}

/*
 * Hands a node that load() or create() returned in @call to @inode (which has none). To be
 * called inside the gate of that same @call: for a new inode allocate it with new_inode()
 * first, enter, create(), attach, leave, then insert_inode_locked().
 */
void bento_node_attach(struct bento_call *call, struct inode *inode, u64 node);

/* Drops the node of an inode, if any (evict, or undo). Not inside a leaf call; never waits
 * at the gate. */
void bento_node_drop(struct inode *inode);

/* For a node that was returned but cannot be attached. Inside the gate. */
void bento_node_discard(struct bento_call *call, u64 node);

/* Did the instance fail? Cheap, for early exits; the answer may be old. */
static inline bool bento_failed(const struct bento_mount *bm)
{
	bool failed;

	rcu_read_lock();
	failed = READ_ONCE(READ_ONCE(bm->inst)->failed);
	rcu_read_unlock();
	return failed;
}

/* As bento_has() outside a leaf call, for early exits; the answer may be old. */
static inline bool bento_offers(const struct bento_mount *bm, u64 ops)
{
	bool offers;

	rcu_read_lock();
	offers = (READ_ONCE(bm->inst)->ops->ops & ops) == ops;
	rcu_read_unlock();
	return offers;
}

/*
 * Waits, by mount option failed_wait, until a failed mount is repaired. False: it is not, or the
 * caller must not wait. Outside leaf calls; as at the closed gate any lock may be held.
 */
bool bento_await_repair(struct bento_mount *bm, u32 flags);

/* Gate without the instance, for upgrade.c and super.c. */
int bento_gate_init(struct bento_mount *bm);
void bento_gate_exit(struct bento_mount *bm);
int bento_gate_prepare(struct bento_mount *bm, unsigned int drain_ms);
int bento_gate_close(struct bento_mount *bm, unsigned int drain_ms, struct bento_stamps *st);
void bento_gate_open(struct bento_mount *bm);
void bento_gate_finish(struct bento_mount *bm);
/* A call into @inst that does not pass the gate (mount, export, import, destroy ...). */
void bento_enter_inst(struct bento_call *call, u32 op, struct bento_inst *inst);
/* The live context in the frames of the current task, or NULL. */
struct bento_cx *bento_cx_find(void);
int bento_cx_secret_init(void);
/* Walks: drop all nodes of an instance (which no call uses any more) and wait for the last. */
void bento_nodes_drop_all(struct bento_inst *inst);

#endif /* _BENTOFS_GATE_H */
