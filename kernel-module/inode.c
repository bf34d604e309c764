// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes in memory: the slab, how an inode enters and leaves memory, and what a repair
 * does to one that is in use.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/slab.h>

#include "bentofs_i.h"

static struct kmem_cache *bento_inode_cache;

static void bento_repair_work(struct work_struct *work);

static void bento_inode_once(void *object)
{
	struct bento_inode *bi = object;

	inode_init_once(&bi->vfs_inode);
	INIT_LIST_HEAD(&bi->node_link);
	mutex_init(&bi->node_lock);
	init_rwsem(&bi->map_sem);
	spin_lock_init(&bi->last_lock);
	spin_lock_init(&bi->ioend_lock);
	INIT_LIST_HEAD(&bi->ioend_list);
	INIT_WORK(&bi->ioend_work, bento_ioend_work);
	INIT_WORK(&bi->repair_work, bento_repair_work);
}

int bento_inode_cache_init(void)
{
	bento_inode_cache = kmem_cache_create("bento_inode", sizeof(struct bento_inode), 0,
					      SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					      bento_inode_once);
	return bento_inode_cache ? 0 : -ENOMEM;
}

void bento_inode_cache_exit(void)
{
	/* free_inode() runs as an RCU callback. */
	rcu_barrier();
	kmem_cache_destroy(bento_inode_cache);
}

struct inode *bento_alloc_inode(struct super_block *sb)
{
	struct bento_inode *bi = alloc_inode_sb(sb, bento_inode_cache, GFP_KERNEL);

	if (!bi)
		return NULL;
	bi->node = 0;
	bi->node_inst = NULL;
	bi->btime = (struct timespec64) { };
	bi->link = NULL;
	bi->flags = 0;
	bi->no_xattrs = false;
	bi->epoch = READ_ONCE(BENTO_M(sb)->epoch);
	bi->gone = false;
	bi->orphan = false;
	bi->map_seq = 0;
	bi->last = (struct bento_map) { };
	bi->disk_size = 0;
	bi->ahead_end = 0;
	bi->appends = 0;
	bi->repaired = false;
	bi->unflushed = false;
	return &bi->vfs_inode;
}

void bento_free_inode(struct inode *inode)
{
	struct bento_inode *bi = BENTO_I(inode);

	kfree(bi->link);
	kmem_cache_free(bento_inode_cache, bi);
}

void bento_inode_set_ops(struct inode *inode)
{
	bool mapped = BENTO_M(inode->i_sb)->mapped;

	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &bento_file_iops;
		inode->i_fop = mapped ? &bento_mapped_fops : &bento_fallback_fops;
		inode->i_mapping->a_ops = mapped ? &bento_mapped_aops : &bento_fallback_aops;
		if (mapped && BENTO_LARGE_FOLIOS)
			mapping_set_large_folios(inode->i_mapping);
		break;
	case S_IFDIR:
		inode->i_op = &bento_dir_iops;
		inode->i_fop = &bento_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &bento_symlink_iops;
		inode->i_link = BENTO_I(inode)->link;
		break;
	default:
		inode->i_op = &bento_special_iops;
		init_special_inode(inode, inode->i_mode, inode->i_rdev);
	}
}

/* Is it what the caller looks for? A name leads to an inode with links. */
static bool bento_inode_wanted(const struct bento_attr *attr, const struct timespec64 *orphan)
{
	if (!orphan)
		return attr->nlink;
	return !attr->nlink && attr->btime.sec < orphan->tv_sec;
}

/*
 * Fills a new inode; inside no leaf call. -ESTALE: there is none, or it has no name. With @orphan
 * only one without a name will do, which was there before that time.
 */
static int bento_inode_load(struct inode *inode, const struct timespec64 *orphan)
{
	struct bento_mount *bm = BENTO_M(inode->i_sb);
	struct bento_entry entry = { };
	struct bento_call call __uninitialized;
	int err;

	err = bento_enter(&call, BENTO_OP_LOAD, 0, bm);
	if (err)
		return err;
	bento_trace(&call, inode->i_ino);
	err = bento_ops(&call)->load(&call.cx, call.fs, inode->i_ino, &entry);
	if (err)
		return bento_leave(&call, err);
	err = bento_attr_check(bm, &entry.attr, inode->i_ino);
	if (!err && !bento_inode_wanted(&entry.attr, orphan))
		err = -ESTALE;
	if (err) {
		bento_node_discard(&call, entry.node);
		return bento_leave(&call, err);
	}
	bento_attr_apply(inode, &entry.attr, BENTO_APPLY_ALL);
	bento_node_attach(&call, inode, entry.node);
	return bento_leave(&call, 0);
}

/*
 * The inode in memory, or a new one (I_NEW). What a repair has lost leaves the hash, so that the
 * next turn finds what has the number now.
 */
static struct inode *bento_iget_locked(struct super_block *sb, u64 ino)
{
	struct inode *inode;
	int err;

	do {
		inode = iget_locked(sb, ino);
		if (!inode)
			return ERR_PTR(-ENOMEM);
		if (bento_inode_is_new(inode))
			return inode;
		err = bento_fresh(inode) ?: bento_is_bad(inode) ? -EIO : 0;
		if (!err)
			return inode;
		iput(inode);
	} while (err == -ESTALE);
	return ERR_PTR(err);
}

static struct inode *bento_iget_as(struct super_block *sb, u64 ino, const struct timespec64 *orphan)
{
	struct inode *inode;
	int err;

	if (!ino)
		return ERR_PTR(-EUCLEAN);
	inode = bento_iget_locked(sb, ino);
	if (IS_ERR(inode) || !bento_inode_is_new(inode))
		return inode;
	err = bento_inode_load(inode, orphan);
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	bento_inode_set_ops(inode);
	unlock_new_inode(inode);
	return inode;
}

struct inode *bento_iget(struct super_block *sb, u64 ino)
{
	return bento_iget_as(sb, ino, NULL);
}

/* The last reference frees an inode without a name, and here is one. */
void bento_free_orphan(struct super_block *sb, u64 ino, struct timespec64 when)
{
	struct inode *inode = bento_iget_as(sb, ino, &when);

	if (!IS_ERR(inode))
		iput(inode);
}

/* The last link and the last user are gone. */
static void bento_forget(struct inode *inode)
{
	struct bento_mount *bm = BENTO_M(inode->i_sb);
	struct bento_call call __uninitialized;
	u64 node;
	int err;

	sb_start_intwrite(inode->i_sb);
	do {
		err = bento_enter_inode(&call, BENTO_OP_FORGET, BENTO_ENTER_NOKILL, inode, &node);
		if (err)
			break;
		bento_trace(&call, inode->i_ino);
		/* A repair may have found that the unlink is undone. */
		if (!inode->i_nlink)
			err = bento_ops(&call)->forget(&call.cx, call.fs, node);
		err = bento_leave(&call, err);
		cond_resched();
	} while (err == -EAGAIN);
	sb_end_intwrite(inode->i_sb);
	/* A failed mount says so once; recovery frees the inode at the next mount. */
	if (err && !bento_is_bad(inode) && !bento_failed(bm) && __ratelimit(&bm->log_limit))
		bento_warn(bm, "inode %llu was removed but could not be freed: error %d; the next mount or fsck frees it",
			   (u64)inode->i_ino, err);
}

void bento_evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	/* Whoever opens the file again may ask for a flush of what was written through it. */
	bento_count_data(inode);
	if (!bento_is_bad(inode)) {
		if (inode->i_nlink && !BENTO_I(inode)->orphan)
			bento_ahead_evict(inode);
		else
			bento_forget(inode);
	}
	clear_inode(inode);
	bento_node_drop(inode);
}

/* ------------------------------------------------------------ repair */

/*
 * The page cache holds what the failed instance had accepted; recovery may have lost the
 * space that it was written to, so all of it is written again.
 */
static void bento_repair_data(struct inode *inode)
{
	struct bento_inode *bi = BENTO_I(inode);
	struct bento_setattr set = { .mask = BENTO_SET_SIZE };
	int err = 0;

	inode_lock(inode);
	set.size = i_size_read(inode);
	if (bi->disk_size > set.size) {
		down_write(&bi->map_sem);
		err = bento_leaf_setattr(inode, &set, BENTO_ENTER_NOKILL);
		up_write(&bi->map_sem);
	}
	bento_redirty_cached(inode);
	inode_unlock(inode);
	if (err)
		mapping_set_error(inode->i_mapping, err);
}

static void bento_repair_work(struct work_struct *work)
{
	struct bento_inode *bi = container_of(work, struct bento_inode, repair_work);
	struct inode *inode = &bi->vfs_inode;

	if (S_ISREG(inode->i_mode) && BENTO_M(inode->i_sb)->mapped)
		bento_repair_data(inode);
	mark_inode_dirty_sync(inode);
	iput(inode);
}

static bool bento_time_is(struct bento_time time, struct timespec64 ts)
{
	return time.sec == ts.tv_sec && time.nsec == ts.tv_nsec;
}

/* Is there anything in memory that is to be written again? */
static bool bento_repair_writes(struct inode *inode, const struct bento_attr *attr)
{
	if (!bento_time_is(attr->atime, bento_get_atime(inode)) ||
	    !bento_time_is(attr->mtime, bento_get_mtime(inode)) ||
	    !bento_time_is(attr->ctime, bento_get_ctime(inode)))
		return true;
	return S_ISREG(inode->i_mode) && BENTO_M(inode->i_sb)->mapped &&
	       (inode->i_mapping->nrpages || attr->size > (u64)i_size_read(inode));
}

/* With a reference for the work item; never drops the last one, for this is a leaf call. */
static void bento_repair_queue(struct inode *inode)
{
	/* One that is being freed is written by nobody any more. */
	if (!igrab(inode))
		return;
	while (!queue_work(bento_wq, &BENTO_I(inode)->repair_work))
		/* Not yet begun: it has a reference, unless it begins now. */
		if (atomic_add_unless(&inode->i_count, -1, 1))
			return;
}

void bento_inode_repair(struct inode *inode, const struct bento_attr *attr)
{
	struct bento_inode *bi = BENTO_I(inode);

	set_nlink(inode, attr->nlink);
	inode->i_mode = attr->mode;
	bento_flags_apply(inode, attr->flags);
	/* Whatever is cached of its attributes may be gone. */
	WRITE_ONCE(bi->no_xattrs, false);
	inode_set_flags(inode, 0, S_NOSEC);
	forget_all_cached_acls(inode);
	i_uid_write(inode, attr->uid);
	i_gid_write(inode, attr->gid);
	spin_lock(&inode->i_lock);
	inode->i_blocks = attr->blocks;
	spin_unlock(&inode->i_lock);
	if (S_ISDIR(attr->mode))
		i_size_write(inode, attr->size);
	WRITE_ONCE(bi->disk_size, attr->size);
	WRITE_ONCE(bi->repaired, true);
	if (bento_repair_writes(inode, attr))
		bento_repair_queue(inode);
}

void bento_inode_lost(struct inode *inode)
{
	struct bento_inode *bi = BENTO_I(inode);
	struct bento_mount *bm = BENTO_M(inode->i_sb);

	/* Nothing is lost with a clean inode that was only cached; fsync of one in use fails anyway. */
	if (inode->i_mapping->nrpages || bento_inode_state(inode) & I_DIRTY)
		mapping_set_error(inode->i_mapping, -EIO);
	WRITE_ONCE(bi->gone, true);
	/* An open device or pipe stays what it is: it works without us, and its end looks at the type. */
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode) || S_ISLNK(inode->i_mode))
		make_bad_inode(inode);
	else
		remove_inode_hash(inode);
	atomic_inc(&bm->lost);
	smp_store_release(&bi->epoch, bm->epoch);
}
