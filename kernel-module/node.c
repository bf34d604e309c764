// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nodes: what an instance keeps for each inode in memory, and how they are replaced when the
 * instance is.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include "bentofs_i.h"

static void bento_node_free(struct bento_inst *inst, u64 node)
{
	struct bento_call call __uninitialized;

	bento_enter_inst(&call, BENTO_OP_DROP_NODE, inst);
	inst->ops->drop_node(&call.cx, node);
	bento_leave(&call, 0);
}

void bento_node_discard(struct bento_call *call, u64 node)
{
	u32 op = call->cx.op;

	call->cx.op = BENTO_OP_DROP_NODE;
	call->inst->ops->drop_node(&call->cx, node);
	call->cx.op = op;
}

void bento_node_attach(struct bento_call *call, struct inode *inode, u64 node)
{
	struct bento_inode *bi = BENTO_I(inode);
	struct bento_inst *inst = call->inst;

	atomic_long_inc(&inst->node_count);
	spin_lock(&call->bm->node_lock);
	bi->node = node;
	list_add_tail(&bi->node_link, &inst->nodes);
	/* Whoever attaches a node has brought the attributes, too. */
	smp_store_release(&bi->epoch, call->bm->epoch);
	smp_store_release(&bi->node_inst, inst);
	spin_unlock(&call->bm->node_lock);
}

/*
 * Takes the node off @bi; only the task that got it drops it. The instance stays until its
 * node_count is zero, which is counted down after the drop.
 */
static struct bento_inst *bento_node_detach_locked(struct bento_inode *bi, u64 *node)
{
	struct bento_inst *inst = bi->node_inst;

	if (!inst)
		return NULL;
	*node = bi->node;
	bi->node = 0;
	WRITE_ONCE(bi->node_inst, NULL);
	list_del_init(&bi->node_link);
	return inst;
}

static void bento_node_put(struct bento_inst *inst, u64 node)
{
	struct bento_mount *bm = inst->bm;

	bento_node_free(inst, node);
	if (atomic_long_dec_and_test(&inst->node_count))
		wake_up_all(&bm->drain_wq);
}

void bento_node_drop(struct inode *inode)
{
	struct bento_mount *bm = BENTO_M(inode->i_sb);
	struct bento_inst *inst;
	u64 node = 0;

	spin_lock(&bm->node_lock);
	inst = bento_node_detach_locked(BENTO_I(inode), &node);
	spin_unlock(&bm->node_lock);
	if (inst)
		bento_node_put(inst, node);
}

void bento_nodes_drop_all(struct bento_inst *inst)
{
	struct bento_mount *bm = inst->bm;
	struct bento_inode *bi;
	u64 node = 0;

	for (;;) {
		spin_lock(&bm->node_lock);
		bi = list_first_entry_or_null(&inst->nodes, struct bento_inode, node_link);
		if (bi)
			bento_node_detach_locked(bi, &node);
		spin_unlock(&bm->node_lock);
		if (!bi)
			break;
		bento_node_put(inst, node);
		cond_resched();
	}
	/* Evictions that took their node before we came are dropping it now. */
	wait_event(bm->drain_wq, !atomic_long_read(&inst->node_count));
}

/*
 * Is what load() returned still the inode that @inode stands for? After a repair its number may
 * have been given away again, and then with the same generation, for that was counted up by a
 * transaction that is lost.
 */
static bool bento_entry_matches(const struct inode *inode, const struct bento_entry *entry)
{
	const struct timespec64 *btime = &BENTO_I(inode)->btime;

	if (bento_stale(inode) && (entry->attr.btime.sec != btime->tv_sec ||
				   entry->attr.btime.nsec != btime->tv_nsec))
		return false;
	return entry->attr.ino == inode->i_ino &&
	       entry->attr.generation == inode->i_generation &&
	       (entry->attr.mode & S_IFMT) == (inode->i_mode & S_IFMT);
}

static int bento_node_load_locked(struct bento_call *call, struct inode *inode)
{
	struct bento_entry entry = {};
	bool stale = bento_stale(inode);
	u32 op = call->cx.op;
	int err;

	call->cx.op = BENTO_OP_LOAD;
	err = call->inst->ops->load(&call->cx, call->fs, inode->i_ino, &entry);
	call->cx.op = op;
	if (err == -ESTALE && stale)
		bento_inode_lost(inode);
	if (err)
		return err < 0 ? err : -EIO;
	if (!entry.node) {
		bento_err(call->bm, "load of inode %llu returned no node",
			  (unsigned long long)inode->i_ino);
		return -EIO;
	}
	if (!bento_entry_matches(inode, &entry)) {
		bento_node_discard(call, entry.node);
		if (stale)
			bento_inode_lost(inode);
		return -ESTALE;
	}
	if (stale) {
		err = bento_attr_check(call->bm, &entry.attr, inode->i_ino);
		if (err) {
			bento_node_discard(call, entry.node);
			return err;
		}
		bento_inode_repair(inode, &entry.attr);
	}
	bento_node_attach(call, inode, entry.node);
	return 0;
}

/* After an upgrade, or for an inode whose node the walk has dropped. */
int bento_node_load(struct bento_call *call, struct inode *inode, u64 *node)
{
	struct bento_inode *bi = BENTO_I(inode);
	int err = 0;

	mutex_lock(&bi->node_lock);
	if (bento_is_bad(inode)) {
		err = -EIO;
	} else if (READ_ONCE(bi->node_inst) != call->inst) {
		/* The API forbids two nodes of one inode: the old one goes first. */
		bento_node_drop(inode);
		err = bento_node_load_locked(call, inode);
	}
	if (!err)
		*node = bi->node;
	mutex_unlock(&bi->node_lock);
	return err;
}

int bento_refit(struct inode *inode)
{
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	err = bento_enter_inode(&call, BENTO_OP_LOAD, BENTO_ENTER_NOKILL, inode, &node);
	if (err)
		return err;
	bento_trace(&call, inode->i_ino);
	return bento_leave(&call, 0);
}
