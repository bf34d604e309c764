/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared declarations of bentofs.ko: what a mount, an instance and an inode are, and how
 * a leaf call into a file-system module is made. One section per source file.
 *
 * Terms
 *   build     one loaded module that offers a file system (struct bento_build)
 *   type      all builds of one name = one file_system_type (struct bento_type)
 *   mount     one super block (struct bento_mount, sb->s_fs_info)
 *   instance  the file-system object of one build behind one mount (struct bento_inst);
 *             an upgrade replaces the instance of a mount
 *   node      what an instance keeps per inode in memory; opaque u64 here
 *   gate      percpu_ref per mount; every leaf call holds it, an upgrade closes it
 *
 * Leaf calls. All calls into a file system follow this pattern:
 *
 *	struct bento_call call;
 *	u64 dir;
 *	int err;
 *
 *	err = bento_enter_inode(&call, BENTO_OP_LOOKUP, 0, parent, &dir);
 *	if (err)
 *		return err;
 *	err = bento_ops(&call)->lookup(&call.cx, call.fs, dir, name, len, &ino);
 *	err = bento_leave(&call, err);
 *
 * Inside (between enter and leave) the code must not: touch user memory, take or wait for
 * a folio lock, I_NEW, an inode lock or any lock that is held around another leaf call,
 * call iget/iput/ilookup/d_*, or wait without bound. Everything taken inside is released
 * before bento_leave(). An upgrade waits for those who are inside; those who wait at the
 * closed gate may hold any lock.
 */
#ifndef _BENTOFS_I_H
#define _BENTOFS_I_H

#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/jump_label.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint-defs.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "include/bento_abi.h"

#define BENTO_SUPER_MAGIC	0x4f544e42	/* "BNTO", in statfs(2) */
#define BENTO_BLOCK_BITS	12
#define BENTO_ID_MAX		40

struct bento_build;
struct bento_inst;
struct bento_mount;

/* ------------------------------------------------------------- registry.c */

/* One loaded module that offers a file system. Lives from register to unregister. */
struct bento_build {
	struct list_head link;		/* bento_type.builds */
	struct bento_type *type;
	const struct bento_fs_ops *ops;
	struct module *module;
	u32 flags;			/* BENTO_REGISTER_* */
	bool live;			/* mounts and sysfs may find it */
	char version[33];		/* ops->version, NUL-terminated */
};

/* One file-system name. The slots are static (lockdep keys, fs_context) and never reused. */
struct bento_type {
	struct file_system_type fst;
	char name[17];
	bool used;			/* the slot has a name */
	bool registered;		/* fst is known to the VFS */
	bool device;			/* BENTO_CAP_DEVICE; the same in all builds */
	struct list_head builds;	/* oldest first */
	struct list_head mounts;	/* bento_mount.type_link */
	struct bento_build *preferred;	/* for new mounts */
};

extern struct mutex bento_registry_lock;	/* types, builds, lists of mounts */

/* The build for a new mount, with its module reference taken; NULL: none. */
struct bento_build *bento_build_get_preferred(struct bento_type *type);
/* By module name or version, with its module reference; ERR_PTR(-ENOENT, -ENOTUNIQ). */
struct bento_build *bento_build_find(struct bento_type *type, const char *text);
void bento_build_put(struct bento_build *build);
const char *bento_build_id(const struct bento_build *build);
void bento_type_add_mount(struct bento_mount *bm);
void bento_type_remove_mount(struct bento_mount *bm);
ssize_t bento_types_show(char *buf);
int bento_prefer(const char *id);

/* ----------------------------------------------------- mounts and instances */

/* The device of one instance, as file systems hold it. */
struct bento_dev {
	struct bento_mount *bm;
	struct bento_inst *inst;
	struct block_device *bdev;	/* NULL without a device */
	u64 blocks;			/* units of BENTO_BLOCK_SIZE */
};

struct bento_inst {
	const struct bento_fs_ops *ops;
	u64 fs;				/* 0: not mounted, or destroyed */
	struct bento_mount *bm;
	struct bento_build *build;	/* with a module reference */
	struct bento_dev dev;
	/*
	 * Set by the panic handler before any destructor runs, never cleared. From then on
	 * every service of this instance and every new leaf call answers -EIO.
	 */
	u32 failed;
	bool rdonly;			/* was mounted with BENTO_MOUNT_RDONLY */
	u32 number;			/* counts the instances of the mount, from 1 */
	u64 root;			/* inode number */
	u64 max_file_size;		/* bytes */
	struct list_head nodes;		/* bento_inode.node_link, under bm->node_lock */
	atomic_long_t node_count;	/* nodes not yet dropped */
	struct rcu_head rcu;		/* for bento_failed() */
};

/* What is armed by debugfs (inject.c). */
struct bento_inject {
	spinlock_t lock;
	u32 armed;			/* read without the lock first */
	u32 op;
	u32 action;
	u32 arg;			/* of the action: milliseconds, enum bento_panic, a byte */
	u32 nth;			/* counts down */
};

/* Time stamps of the last upgrade in ns of ktime, see upgrade.c. */
struct bento_stamps {
	u64 kill, drained, exported, imported, woken;
};

/* What the file history tells of (history.c). */
enum bento_event_kind {
	BENTO_EVENT_UPGRADE, BENTO_EVENT_REPAIR, BENTO_EVENT_REMOUNT, BENTO_EVENT_CHECK,
};

#define BENTO_HISTORY		16U

struct bento_event {
	enum bento_event_kind kind;
	int result;			/* 0 or -errno */
	time64_t when;			/* seconds since 1970 */
	u64 pause_ns;
	char from[MODULE_NAME_LEN];	/* module names of the builds */
	char to[MODULE_NAME_LEN];
	char text[80];			/* "-": nothing to add */
};

/* Mount option errors=: what follows when a file system answers -EUCLEAN. */
enum bento_errors { BENTO_ERRORS_CONTINUE, BENTO_ERRORS_RO, BENTO_ERRORS_PANIC };

/* Mount options of bentofs. Words that a remount may change are read with READ_ONCE(). */
struct bento_options {
	u32 given;			/* which were in the text, for a remount */
	bool oops_on_panic;		/* panic=oops */
	bool nobarrier;
	u32 errors;			/* enum bento_errors */
	u32 commit_s;			/* seconds between two commits */
	u32 failed_wait_ms;		/* how long operations wait for a repair */
	u32 watchdog_s;			/* 0: off */
	bool norecovery;		/* these two are told to the file system at mount */
	bool discard;
};

/* Leaf calls by operation, and those that ended with an error. Per CPU; only sums mean something. */
struct bento_counts {
	u64 calls[BENTO_OP_MAX];
	u64 errors[BENTO_OP_MAX];
};

struct bento_latency;			/* stats.c */

/* The log of a file system that records its use (log.c). */
struct bento_log {
	bool on;			/* BENTO_OPS_LOG of the instance in charge */
	bool stopped;			/* the mount goes: @work is not queued any more */
	struct delayed_work work;
	struct mutex lock;		/* the rest; one fetch at a time */
	struct task_struct *owner;	/* who holds it */
	u32 started;			/* number of the instance whose log was started */
	int result;			/* of the last append, for the next fetch */
	struct ratelimit_state limit;	/* of telling dmesg that records are dropped */
	u8 *buf;			/* BENTO_LOG_BATCH_MAX bytes; NULL until it is needed */
	u32 count;
	u64 inos[BENTO_LOG_INODES_MAX];	/* 0: none */
	struct bento_log_drain taken;	/* in an upgrade: what @buf holds */
};

struct bento_mount {
	struct super_block *sb;
	struct bento_type *type;
	struct list_head type_link;	/* type->mounts */
	char id[BENTO_ID_MAX];		/* name in sysfs and messages, e.g. "vdb" */
	char *options;			/* text for the file system, "" if none */
	bool mapped;			/* BENTO_OPS_MAP; an upgrade cannot change it */
	struct bento_options opt;
	bool file_events;		/* BENTO_OPS_EVENTS of the instance in charge */
	bool shutdown;			/* by ioctl: all answers -EIO until the unmount */
	bool shut;			/* the instance is gone (unmount) */

	struct percpu_ref gate;
	struct bento_inst *inst;	/* stable inside the gate */
	wait_queue_head_t gate_wq;	/* leaf calls that found the gate closed */
	wait_queue_head_t drain_wq;	/* the upgrade that waits for leaf calls to leave */
	atomic_t slow_inside;		/* fsync and sync, see bento_is_slow() */
	bool slow_closed;		/* these wait at gate_wq while others still pass */
	struct mutex upgrade_mutex;	/* upgrade against upgrade, remount and unmount */

	/* Repair (repair.c). */
	u32 epoch;			/* counts repairs; moves while the gate is closed */
	u32 settled;			/* number of the failed instance that nobody works for any more */
	struct work_struct settle_work;
	atomic_t writing;		/* tasks inside writepages() */
	atomic_t lost;			/* inodes that the last repair did not find again */
	atomic_t walking;		/* inodes in use are being fitted; waiters are at gate_wq */
	spinlock_t node_lock;		/* bento_inode.{node,node_inst,node_link} */

	/*
	 * Writes to the device that have ended, and how many of them a flush has made durable
	 * (services.c). Data counts when somebody asks for it: see bento_inode.unflushed.
	 */
	atomic64_t written;
	atomic64_t flushed;

	bool commit_asked;		/* commit_work is to run at once */
	bool commit_wait;		/* tasks wait for it before they change more */
	wait_queue_head_t commit_wq;
	struct delayed_work commit_work;
	struct bento_log log;
	struct delayed_work read_only_work;	/* errors=remount-ro; holds the mount */
	struct ratelimit_state log_limit;	/* errors and warnings */
	struct ratelimit_state info_limit;	/* all else that a file system says */
	atomic_t log_missed;			/* what these two left out */

	struct bento_counts __percpu *counts;
	struct bento_latency __percpu *latency;	/* allocated when it is asked for, then kept */
	bool latency_on;
	bool watching;			/* watchdog= is set, and watch_work runs */
	spinlock_t watch_lock;
	struct list_head watched;	/* bento_call.watch_link, under watch_lock */
	struct delayed_work watch_work;

	struct kobject kobj;
	struct completion kobj_gone;
	struct dentry *debugfs;
	struct bento_inject inject;

	u32 instances;
	u32 drain_ms;			/* of sysfs */
	bool upgrading;
	bool preparing;			/* a worker of prepare.c is inside */
	struct bento_stamps stamps;
	u64 pause_ns;			/* of the last upgrade */
	atomic64_t upgrades;
	atomic64_t panics;
	atomic64_t ops_failed;
	spinlock_t error_lock;
	char last_error[256];		/* these under error_lock */
	int error_public;		/* so many bytes of it are for everybody */
	u32 events;			/* how many there were */
	struct bento_event history[BENTO_HISTORY];
};

static inline struct bento_mount *BENTO_M(const struct super_block *sb)
{
	return sb->s_fs_info;
}

/* ------------------------------------------------------------------ inodes */

/* An extent and the state of the inode's extents (bento_map_seq()) that it belongs to. */
struct bento_map {
	struct bento_extent ext;	/* len 0: nothing known */
	u64 seq;
};

struct bento_inode {
	struct inode vfs_inode;

	/*
	 * The node. Written under bm->node_lock; a reader inside the gate may use @node
	 * without a lock when @node_inst is the instance of its call (bento_node()).
	 */
	u64 node;
	struct bento_inst *node_inst;	/* NULL: no node */
	struct list_head node_link;	/* bento_inst.nodes */
	struct mutex node_lock;		/* one task at a time loads a missing node */
	/*
	 * The epoch of the mount that the attributes belong to. Where that has moved on, they are
	 * fitted to the disk before they are used: bento_fresh(), bento_node().
	 */
	u32 epoch;
	bool gone;			/* a repair did not find it: a bad inode that keeps its type */
	bool orphan;			/* a repair found it without a name, whatever i_nlink says */

	/* Attributes (inode.c). */
	struct timespec64 btime;
	u32 flags;			/* BENTO_FLAG_*, more than i_flags holds */
	bool no_xattrs;			/* certainly none; under i_rwsem */
	char *link;			/* target of a symbolic link, for i_link; NULL: not read yet */

	/* Extents (map.c). */
	struct rw_semaphore map_sem;	/* exclusive: allocate, commit, free */
	u32 map_seq;			/* moves with every change of the extents, inside the gate */
	spinlock_t last_lock;
	struct bento_map last;		/* the last answer of the file system */
	loff_t disk_size;		/* i_size on disk; moves by commit() and setattr(SIZE) */
	loff_t ahead_end;		/* end of the space taken ahead (ahead.c); 0: none; i_rwsem */
	u8 appends;			/* since the last writer closed it, up to a few */

	/* Writeback (aops.c). */
	spinlock_t ioend_lock;		/* irq-safe */
	struct list_head ioend_list;
	struct work_struct ioend_work;
	bool repaired;			/* writeback must allocate for holes */
	/* Data may have reached the device that bm->written does not count. Cleared under i_lock. */
	bool unflushed;
	struct work_struct repair_work;	/* inode.c; holds a reference on the inode */
};

static inline struct bento_inode *BENTO_I(const struct inode *inode)
{
	return container_of(inode, struct bento_inode, vfs_inode);
}

#include "gate.h"
#include "observe.h"

/* ------------------------------------------------------------- instance.c */

struct bento_inst *bento_inst_alloc(struct bento_mount *bm, struct bento_build *build);
/* mount() or import_state(), by @op (MOUNT, IMPORT, TRY_IMPORT); the caller sets the flags and the state in @in. */
int bento_inst_start(struct bento_inst *inst, u32 op, struct bento_mount_in *in);
/* Drops all nodes, frees the file-system object, drops the module reference, frees @inst. */
void bento_inst_free(struct bento_inst *inst);
/* The object only; afterwards inst->fs is 0. Nodes may be left. */
void bento_inst_end(struct bento_inst *inst);
/* The nodes, too. */
void bento_inst_destroy(struct bento_inst *inst);

/* ---------------------------------------- super.c, context.c and options.c */

/* What is being mounted or remounted: fc->fs_private. */
struct bento_fc {
	struct bento_build *build;	/* with a module reference; only for a new mount */
	char *options;			/* for the file system: "a,b=c" */
	struct bento_options opt;
};

int bento_init_fs_context(struct fs_context *fc);
void bento_options_init(struct bento_options *opt);
/* -ENOPARAM: not one of ours. */
int bento_options_parse(struct fs_context *fc, struct fs_parameter *param,
			struct bento_options *opt);
void bento_options_remount(struct bento_mount *bm, const struct bento_options *new);
int bento_options_check(struct fs_context *fc, const struct bento_options *opt, bool rdonly);
int bento_options_check_remount(struct fs_context *fc, const struct bento_options *opt,
				const struct bento_options *new, bool rdonly);
/* BENTO_MOUNT_* of an instance that begins to serve. */
u32 bento_mount_flags(const struct bento_mount *bm, bool rdonly);
void bento_offer_acls(struct super_block *sb, const struct bento_inst *inst);
int bento_show_options(struct seq_file *m, struct dentry *root);
int bento_fill_super(struct super_block *sb, struct fs_context *fc);
/* sync() of the file system; waits at the gate. */
int bento_leaf_sync(struct bento_mount *bm);
/* Around the commit of commit_work, which operations may ask and wait for (gate.c). */
void bento_commit_begin(struct bento_mount *bm);
void bento_commit_end(struct bento_mount *bm);
void bento_kill_sb(struct super_block *sb);
/* The periodic commit of a writable mount; stops by itself when that is read-only. */
void bento_commit_schedule(struct bento_mount *bm);
extern struct workqueue_struct *bento_wq;	/* WQ_UNBOUND | WQ_MEM_RECLAIM */
/* What may wait for operations, or unmount: never flushed but when the module goes. */
extern struct workqueue_struct *bento_mount_wq;
extern const struct super_operations bento_super_ops;

/* Messages of a mount. */
#define bento_err(bm, fmt, ...)	pr_err("%s: " fmt "\n", (bm)->id, ##__VA_ARGS__)
#define bento_warn(bm, fmt, ...) pr_warn("%s: " fmt "\n", (bm)->id, ##__VA_ARGS__)
#define bento_info(bm, fmt, ...) pr_info("%s: " fmt "\n", (bm)->id, ##__VA_ARGS__)

/* --------------------------------------------------- errors.c and ioctl.c */

void bento_errors_init(struct bento_mount *bm);
/* The file system found damage, which has been logged: applies errors=. Outside leaf calls;
 * any lock may be held. */
void bento_damaged(struct bento_mount *bm);

/* What is written before a shutdown; the flags of the ioctl. */
enum bento_shutdown { BENTO_SHUTDOWN_SYNC, BENTO_SHUTDOWN_LOG, BENTO_SHUTDOWN_NOW };
int bento_shutdown(struct super_block *sb, enum bento_shutdown how);

/*
 * May this file be read (-EIO: the mount was shut down; errors of bento_fresh()), or written
 * (-EROFS, too)? Outside leaf calls.
 */
static inline int bento_may_read(struct inode *inode)
{
	return unlikely(READ_ONCE(BENTO_M(inode->i_sb)->shutdown)) ? -EIO : bento_fresh(inode);
}

static inline int bento_may_write(struct inode *inode)
{
	/* A mount may become read-only while files are open for writing (errors=). */
	return unlikely(sb_rdonly(inode->i_sb)) ? -EROFS : bento_may_read(inode);
}

/* As bento_may_write(), for data: chattr +i also holds for files that are open. */
static inline int bento_may_store(struct inode *inode)
{
	return bento_may_write(inode) ?: unlikely(IS_IMMUTABLE(inode)) ? -EPERM : 0;
}

long bento_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#include "recording.h"

/* --------------------------------------------------------------- upgrade.c */

void bento_upgrade_init(struct bento_mount *bm);
/* Upgrades one mount to @build; with @check only finds out whether that would work. The caller
 * holds a reference on the super block (s_active) and on the build. */
int bento_upgrade(struct bento_mount *bm, struct bento_build *build, bool check);
/* For a remount from read-only to writable. */
int bento_reopen_for_writing(struct bento_mount *bm);
/* Upgrades by name; for sysfs. */
int bento_upgrade_by_name(struct bento_mount *bm, const char *name, bool check);
bool bento_mount_get(struct bento_mount *bm);
void bento_mount_put(struct bento_mount *bm);

/* --------------------------------------------------------------- prepare.c */

struct bento_state {
	u8 *data;			/* kvmalloc */
	u64 len;
	u64 cap;
};

/* prepare() and a first export, with the gate open and a limit in time. */
int bento_prepare(struct bento_mount *bm, struct bento_state *state);

#include "repair.h"

/* ---------------------------------------------- services.c, panic.c, inject.c */

/* A write to the device has ended: the next flush must not be left out. Any context. */
void bento_count_write(struct bento_mount *bm);

void bento_panic_init(void);
/* From now on @inst refuses everything; whoever waits for its locks leaves. */
void bento_inst_fail(struct bento_inst *inst);
int bento_inject_hit(struct bento_inst *inst);	/* slow path of bento_inject_check() */
void bento_inject_damage_hit(struct bento_mount *bm, u32 op, void *bytes, u64 len);
void bento_inject_add(struct bento_mount *bm);
const char *bento_op_name(u32 op);

/* 0: go on; 1: panic now; -EIO. */
static inline int bento_inject_check(struct bento_inst *inst)
{
	if (likely(!READ_ONCE(inst->bm->inject.armed)))
		return 0;
	return bento_inject_hit(inst);
}

/* @bytes are what @op answered or is about to read: a fault may change one of them. */
static inline void bento_inject_damage(struct bento_mount *bm, u32 op, void *bytes, u64 len)
{
	if (unlikely(READ_ONCE(bm->inject.armed)))
		bento_inject_damage_hit(bm, op, bytes, len);
}

/* ----------------------------------------------------------------- sysfs.c */

int bento_sysfs_init(void);
void bento_sysfs_exit(void);
/* What last_error shows from now on; any process context, also inside leaf calls. */
__printf(2, 3) void bento_last_error(struct bento_mount *bm, const char *fmt, ...);
void bento_last_error_panic(struct bento_mount *bm, u32 op, const u8 *text, u32 len);
int bento_sysfs_add(struct bento_mount *bm);
void bento_sysfs_remove(struct bento_mount *bm);

/* --------------------------------------------------------------- history.c */

/* Remembers what was tried and how it ended. @text: printable, or NULL; longer ones are cut.
 * Process context, also with the gate closed. */
void bento_history_add(struct bento_mount *bm, enum bento_event_kind kind,
		       const struct bento_build *from, const struct bento_build *to, int result,
		       u64 pause_ns, const char *text);
ssize_t bento_history_show(struct bento_mount *bm, char *buf);

/* ----------------------------------------------------------------- inode.c */

int bento_inode_cache_init(void);
void bento_inode_cache_exit(void);
struct inode *bento_alloc_inode(struct super_block *sb);
void bento_free_inode(struct inode *inode);
/* The inode in memory, loaded where it is not; ERR_PTR. Outside leaf calls. */
struct inode *bento_iget(struct super_block *sb, u64 ino);
/* Frees an inode that has had no name since before @when, unless somebody uses it. */
void bento_free_orphan(struct super_block *sb, u64 ino, struct timespec64 when);
void bento_evict_inode(struct inode *inode);
int bento_write_inode(struct inode *inode, struct writeback_control *wbc);
/*
 * Fits an inode in memory to what recovery found on disk; inside a leaf call, under its
 * node_lock, before its node is attached. nlink, mode, ids and blocks are taken from @attr;
 * times, size and cached pages stay and are written again, by a work item on bento_wq that
 * passes the gate (flush it before an unmount).
 */
void bento_inode_repair(struct inode *inode, const struct bento_attr *attr);
/* The same where it is gone, or another one: makes it bad. */
void bento_inode_lost(struct inode *inode);

/* Which attributes change in memory after an operation of the file system. */
enum bento_apply {
	BENTO_APPLY_ALL,		/* a fresh inode */
	BENTO_APPLY_DIR,		/* a directory whose entries changed */
	BENTO_APPLY_LINKS,		/* an inode whose link count changed */
};
/* Could @attr belong to inode @ino of this mount? Logs and returns -EUCLEAN if not. */
int bento_attr_check(struct bento_mount *bm, const struct bento_attr *attr, u64 ino);
void bento_attr_apply(struct inode *inode, const struct bento_attr *attr, enum bento_apply what);
/* getattr() + apply; inside a leaf call. A failure leaves the inode as it is. */
void bento_attr_refresh(struct bento_call *call, struct inode *inode, u64 node,
			enum bento_apply what);
/* Operation tables by type; @attr was applied. */
void bento_inode_set_ops(struct inode *inode);
int bento_setattr(bento_idmap *idmap, struct dentry *dentry, struct iattr *attr);
int bento_getattr(bento_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int query_flags);
/* Calls setattr() until it is done (it may answer -EAGAIN). -EPERM: not implemented. */
int bento_leaf_setattr(struct inode *inode, const struct bento_setattr *set, u32 flags);

static inline struct bento_time bento_time(struct timespec64 ts)
{
	return (struct bento_time) { .sec = ts.tv_sec, .nsec = ts.tv_nsec };
}

/* --------------------------------------------- xattr.c, acl.c and flags.c */

extern bento_xattr_handlers bento_xattrs[];
int bento_getxattr(struct inode *inode, const char *name, void *buf, size_t len);
int bento_setxattr(struct inode *inode, const char *name, const void *value, size_t len,
		   int flags, const umode_t *mode);
ssize_t bento_listxattr(struct dentry *dentry, char *buf, size_t len);

/* Certainly no extended attribute; nobody has to be asked. */
static inline bool bento_has_no_xattrs(const struct inode *inode)
{
	return READ_ONCE(BENTO_I(inode)->no_xattrs) && !bento_stale(inode);
}

struct posix_acl *bento_get_acl(struct inode *inode, int type, bool rcu);
int bento_set_acl(bento_idmap *idmap, BENTO_SET_ACL_TARGET, struct posix_acl *acl, int type);

/* What a new inode starts with. */
struct bento_birth {
	struct posix_acl *acl;
	struct posix_acl *default_acl;
	struct bento_xattr xattrs[BENTO_MAKE_XATTRS_MAX];	/* names and values: kmalloc */
	u32 count;
};

int bento_birth_begin(struct bento_birth *birth, struct inode *dir, struct inode *inode,
		      const struct qstr *name);
void bento_birth_end(struct bento_birth *birth, struct inode *inode);

void bento_flags_apply(struct inode *inode, u32 flags);
int bento_fileattr_get(struct dentry *dentry, bento_fileattr *fa);
int bento_fileattr_set(bento_idmap *idmap, struct dentry *dentry, bento_fileattr *fa);

/* ------------------------------------------------------------------- map.c */

#define BENTO_MAP_ALLOCATE	(1U << 0)	/* fill a hole with unwritten space */
#define BENTO_MAP_NOWAIT	(1U << 1)	/* -EAGAIN instead of sleeping */
#define BENTO_MAP_NOKILL	(1U << 2)	/* as BENTO_ENTER_NOKILL */
#define BENTO_MAP_AHEAD		(1U << 3)	/* with ALLOCATE: more than @len is welcome */
#define BENTO_MAP_NOREPAIR	(1U << 4)	/* of a failed mount: -EIO at once */

/*
 * Names the state of the extents of @inode: what was learnt of them under another number is
 * not true any more. A repair changes all at once.
 */
static inline u64 bento_map_seq(const struct inode *inode)
{
	return (u64)READ_ONCE(BENTO_M(inode->i_sb)->epoch) << 32 | READ_ONCE(BENTO_I(inode)->map_seq);
}

int bento_map(struct inode *inode, u64 pos, u64 len, unsigned int flags, struct bento_map *map);
int bento_commit(struct inode *inode, loff_t off, loff_t len, bool unwritten);
/* Reads i_blocks back; inside a leaf call. */
void bento_refresh_blocks(struct bento_call *call, struct inode *inode, u64 node);

/* ----------------------------------------------------------------- ahead.c */

bool bento_ahead_wanted(struct inode *inode, loff_t pos, u64 len);
u64 bento_ahead_len(struct bento_call *call, u64 pos, u64 len);
void bento_ahead_release(struct inode *inode);
void bento_ahead_close(struct inode *inode);
void bento_ahead_evict(struct inode *inode);

/* ------------------------------------------ aops.c, truncate.c, fallocate.c */

extern const struct iomap_ops bento_iomap_ops;
extern BENTO_IOMAP_WRITE_OPS(bento_iomap_write_ops);
extern const struct address_space_operations bento_mapped_aops;
void bento_ioend_work(struct work_struct *work);
/* Data of @inode is about to reach the device, or has. Any context. */
void bento_data_submitted(struct inode *inode);
/* Lets the next flush cover the data of @inode that has reached the device. Takes i_lock. */
void bento_count_data(struct inode *inode);
/* Marks everything that is cached dirty again. Takes folio locks. */
void bento_redirty_cached(struct inode *inode);
int bento_zero_eof(struct inode *inode, loff_t from, loff_t to, bool *zeroed);
int bento_truncate(struct inode *inode, loff_t size, const struct bento_setattr *set);
int bento_truncate_mapped(struct inode *inode, loff_t size, const struct bento_setattr *set);
long bento_fallocate(struct file *file, int mode, loff_t off, loff_t len);
/* [@from, @to): multiples of the block size; an empty range is nothing to do. @mode: BENTO_FALLOC_*;
 * @size as in bento_fallocate_in. Sleeps. */
int bento_leaf_fallocate(struct inode *inode, u32 mode, loff_t from, loff_t to, u64 size);

/* -------------------- create.c namei.c dir.c file.c fallback.c export.c */

int bento_create(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
		 umode_t mode BENTO_CREATE_EXCL);
int bento_mknod(bento_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode,
		dev_t rdev);
BENTO_MKDIR_RET bento_mkdir(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
			    umode_t mode);
int bento_symlink(bento_idmap *idmap, struct inode *dir, struct dentry *dentry,
		  const char *target);
int bento_tmpfile(bento_idmap *idmap, struct inode *dir, struct file *file, umode_t mode);
/* The entries of @dir changed: makes that durable at once where it asks for it. */
void bento_dir_changed(struct inode *dir);

extern const struct inode_operations bento_dir_iops;
extern const struct inode_operations bento_file_iops;
extern const struct inode_operations bento_symlink_iops;
extern const struct inode_operations bento_special_iops;
extern const struct file_operations bento_dir_fops;
extern const struct file_operations bento_mapped_fops;
extern const struct file_operations bento_fallback_fops;
extern const struct address_space_operations bento_fallback_aops;
extern const struct export_operations bento_export_ops;
int bento_fsync(struct file *file, loff_t start, loff_t end, int datasync);
/* Makes the metadata of @inode durable, its name included. */
int bento_leaf_fsync(struct inode *inode, bool datasync);
int bento_file_open(struct inode *inode, struct file *file);
int bento_file_release(struct inode *inode, struct file *file);
ssize_t bento_file_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe,
			       size_t len, unsigned int flags);

#endif /* _BENTOFS_I_H */
