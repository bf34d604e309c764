/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C ABI between bentofs.ko and the Rust code of file-system modules.
 *
 * Kernel-internal, not uapi: both sides are built from one tree. All fields have a
 * fixed width and structs have no implicit padding; bentofs zeroes every output
 * struct before a call. bindgen reads this file as it is, so it includes nothing but
 * <linux/types.h>. A change of any kind must raise BENTO_ABI_VERSION.
 *
 * Two directions:
 *   struct bento_fs_ops   bentofs calls the file system ("leaf calls")
 *   bento_ks_*()          the file system calls bentofs ("services")
 *
 * Results are 0 (or a count) or a negative errno in -4095..-1. A leaf call that
 * panics returns -EIO after the instance was marked failed.
 */
#ifndef _BENTO_ABI_H
#define _BENTO_ABI_H

#include <linux/types.h>

#define BENTO_ABI_MAGIC		0x4f544e4542ULL	/* "BENTO" */
#define BENTO_ABI_VERSION	6U

#define BENTO_NAME_MAX		255U
#define BENTO_BLOCK_SIZE	4096U
/* The whole state of one instance at an upgrade, in bytes. */
#define BENTO_STATE_MAX		(64U << 20)
/* Extended attributes: the full name with its prefix, the value, how many a new inode brings. */
#define BENTO_XATTR_NAME_MAX	255U
#define BENTO_XATTR_SIZE_MAX	65536U
#define BENTO_MAKE_XATTRS_MAX	8U
/* A log: how many inodes it has (folder included), what one drain_log() brings at most, in bytes. */
#define BENTO_LOG_INODES_MAX	8U
#define BENTO_LOG_BATCH_MAX	65536U

/* Opaque to Rust. */
struct bento_dev;	/* the device of one instance; refuses everything once the instance failed */
struct bento_state;	/* collects the bytes of an exported state */

/* ------------------------------------------------------------------ data */

struct bento_time {
	__s64 sec;
	__u32 nsec;		/* < 10^9 */
	__u32 pad;
};

/*
 * Context of one leaf call; lives on the stack of the caller in bentofs. What tells who asks and
 * when (uid to comm) is 0 for statfs, load, drop_node, getattr, readlink, map, getxattr, listxattr.
 */
struct bento_cx {
	__u64 magic;		/* secret ^ address while the call runs, else 0 */
	__u64 task;		/* address of the task_struct */
	__u64 inst;		/* address of the instance, for bentofs */
	__u32 op;		/* enum bento_op, for tracing and fault injection */
	__u32 flags;		/* out: BENTO_CX_*, what the file system asks for; 0 before */
	__u32 uid;		/* already mapped for idmapped mounts */
	__u32 gid;		/* for a new inode: after set-group-id inheritance */
	__u32 pid;
	__u32 pad;
	struct bento_time now;
	__u8 comm[16];		/* name of the caller's command, NUL-padded */
};

/* bento_cx.flags */
#define BENTO_CX_COMMIT_SOON	(1U << 0)	/* call sync() now, not at the next period */
/* And let it end before the next operation that changes something: else that one would wait. */
#define BENTO_CX_COMMIT_WAIT	(1U << 1)
#define BENTO_CX_DRAIN		(1U << 2)	/* many log records wait: drain_log() soon */

/* bento_attr.flags, bento_setattr.flags: the numbers of FS_*_FL in <linux/fs.h> */
#define BENTO_FLAG_SYNC		0x8U
#define BENTO_FLAG_IMMUTABLE	0x10U
#define BENTO_FLAG_APPEND	0x20U
#define BENTO_FLAG_NODUMP	0x40U
#define BENTO_FLAG_NOATIME	0x80U
#define BENTO_FLAG_DIRSYNC	0x10000U

struct bento_attr {
	__u64 ino;
	__u64 size;		/* bytes */
	__u64 blocks;		/* units of 512 bytes */
	struct bento_time atime;
	struct bento_time mtime;
	struct bento_time ctime;
	struct bento_time btime;
	__u32 generation;
	__u32 mode;		/* S_IF* and permission bits */
	__u32 nlink;
	__u32 uid;
	__u32 gid;
	__u32 rdev;		/* new_encode_dev() */
	__u32 flags;		/* BENTO_FLAG_*; the host enforces them */
	__u32 xattrs;		/* 0: certainly no extended attribute; 1: maybe */
};

/* A loaded or new inode. The node belongs to bentofs until drop_node(). */
struct bento_entry {
	struct bento_attr attr;
	__u64 node;		/* pointer of the file system, never 0 */
};

/* bento_setattr.mask */
#define BENTO_SET_MODE		(1U << 0)
#define BENTO_SET_UID		(1U << 1)
#define BENTO_SET_GID		(1U << 2)
#define BENTO_SET_SIZE		(1U << 3)
#define BENTO_SET_ATIME		(1U << 4)
#define BENTO_SET_MTIME		(1U << 5)
#define BENTO_SET_CTIME		(1U << 6)
#define BENTO_SET_FLAGS		(1U << 7)	/* only with BENTO_OPS_FLAGS */

struct bento_setattr {
	__u32 mask;		/* BENTO_SET_* */
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u64 size;
	struct bento_time atime;
	struct bento_time mtime;
	struct bento_time ctime;
	__u32 flags;		/* BENTO_FLAG_*: all of them, not a difference */
	__u32 pad;
};

struct bento_xattr {
	const __u8 *name;	/* full name: "user.x"; no NUL in it or behind it */
	const __u8 *value;	/* any bytes; NULL if value_len is 0 */
	__u32 name_len;		/* 1..BENTO_XATTR_NAME_MAX */
	__u32 value_len;	/* 0..BENTO_XATTR_SIZE_MAX */
};

/* setxattr() flags */
#define BENTO_XATTR_CREATE	(1U << 0)	/* -EEXIST if it exists */
#define BENTO_XATTR_REPLACE	(1U << 1)	/* -ENODATA if it does not */

/* bento_fallocate_in.mode */
#define BENTO_FALLOC_ALLOCATE	0U	/* holes become unwritten space */
#define BENTO_FALLOC_PUNCH	1U	/* the range becomes a hole */
#define BENTO_FALLOC_ZERO	2U	/* the range becomes unwritten space, holes included */
#define BENTO_FALLOC_COLLAPSE	3U	/* the range is cut out, what is behind it moves down */
#define BENTO_FALLOC_INSERT	4U	/* a hole is put in, what is at and behind offset moves up */

struct bento_fallocate_in {
	__u64 offset;		/* bytes; multiple of the block size */
	__u64 len;		/* bytes; multiple of the block size, > 0 */
	/*
	 * The size on disk becomes: for COLLAPSE and INSERT exactly this, else at least this
	 * (0: it stays, as for PUNCH always).
	 */
	__u64 size;
	__u32 mode;		/* BENTO_FALLOC_* */
	__u32 pad;
};

struct bento_trim {
	__u64 start;		/* bytes on the device; multiple of the block size */
	__u64 end;		/* > start; may be behind the end of the device */
	__u64 min_len;		/* bytes; shorter free ranges are left alone */
	/* Out: */
	__u64 trimmed;		/* bytes that this call discarded */
	__u64 next;		/* start of the next call, > start; >= end: done */
};

/* bento_extent.kind */
#define BENTO_EXTENT_HOLE	0U
#define BENTO_EXTENT_MAPPED	1U
#define BENTO_EXTENT_UNWRITTEN	2U

struct bento_extent {
	__u64 offset;		/* bytes in the file; multiple of the block size */
	__u64 len;		/* bytes, > 0 */
	__u64 addr;		/* bytes on the device; 0 for a hole */
	__u32 kind;		/* BENTO_EXTENT_* */
	__u32 is_new;		/* 1: space was taken by this call */
};

struct bento_statfs {
	__u64 blocks;		/* units of block_size */
	__u64 blocks_free;
	__u64 blocks_available;
	__u64 files;
	__u64 files_free;
	__u64 fsid;
	__u32 block_size;	/* bytes */
	__u32 name_max;
};

/*
 * One entry in the buffer of readdir(): packed, little-endian, followed by name_len
 * bytes of name. Cookies are >= 2; 0 and 1 are "." and "..", which bentofs adds.
 */
struct bento_dirent {
	__u8 ino[8];
	__u8 cookie[8];
	__u8 dirent_type;	/* DT_* */
	__u8 name_len;		/* 1..255 */
};

/* bento_mount_in.flags */
#define BENTO_MOUNT_RDONLY	(1U << 0)
#define BENTO_MOUNT_REPAIR	(1U << 1)	/* replaces a failed instance; inodes are in use */
#define BENTO_MOUNT_NORECOVERY	(1U << 2)	/* only with RDONLY: the log is not replayed */
#define BENTO_MOUNT_DISCARD	(1U << 3)	/* discard freed blocks once the free is durable */

struct bento_mount_in {
	struct bento_dev *dev;
	const __u8 *options;	/* "a,b=c", not NUL-terminated */
	__u32 options_len;
	__u32 flags;		/* BENTO_MOUNT_* */
	/* import only: */
	const __u8 *state;	/* as exported; its last record is a checksum of the others */
	__u64 state_len;
	__u32 schema;		/* version of the state */
	__u32 pad;
};

struct bento_mount_out {
	__u64 fs;		/* pointer of the file system, never 0 */
	__u64 root;		/* inode number */
	__u64 max_file_size;	/* bytes */
};

/* New inode: create, mknod, mkdir, symlink, tmpfile. */
struct bento_make_in {
	const __u8 *name;
	const __u8 *target;	/* symlink only */
	__u32 name_len;		/* 1..255; tmpfile: 0 */
	__u32 target_len;	/* 1..4095, symlink only */
	__u32 mode;		/* final: umask (or default ACL) and set-group-id applied */
	__u32 rdev;		/* mknod only */
	/* What the inode starts with, in the same transaction: ACLs, security labels. */
	const struct bento_xattr *xattrs;
	__u32 xattr_count;	/* 0..BENTO_MAKE_XATTRS_MAX; > 0 only with BENTO_OPS_XATTR */
	__u32 pad;
};

/* bento_rename_in.flags */
#define BENTO_RENAME_NOREPLACE	(1U << 0)
#define BENTO_RENAME_EXCHANGE	(1U << 1)
/* Leaves a character device 0:0 of mode 0 under the old name; never with EXCHANGE. */
#define BENTO_RENAME_WHITEOUT	(1U << 2)

struct bento_rename_in {
	__u64 old_dir;		/* nodes */
	__u64 new_dir;
	__u64 node;
	__u64 replaced;		/* 0: the new name does not exist */
	const __u8 *old_name;
	const __u8 *new_name;
	__u32 old_name_len;
	__u32 new_name_len;
	__u32 flags;		/* BENTO_RENAME_* */
	__u32 pad;
};

/* event(): the kinds */
#define BENTO_EVENT_OPEN	1U	/* a regular file was opened */
#define BENTO_EVENT_RELEASE	2U	/* an open file was closed for the last time */
#define BENTO_EVENT_FIRST_READ	3U	/* the first read() or mmap() of an open file */
#define BENTO_EVENT_FIRST_WRITE	4U	/* the first write() or writable shared mmap() */

struct bento_log_start {
	/* The inodes of the log; what is known of them in memory may have changed. */
	__u64 inos[BENTO_LOG_INODES_MAX];
	__u32 count;		/* 0..BENTO_LOG_INODES_MAX */
	__u32 made;		/* 1: names were made */
};

/* bento_log_drain.flags */
#define BENTO_LOG_RESTART	(1U << 0)	/* empty the file first */
#define BENTO_LOG_MORE		(1U << 1)	/* more records wait */

struct bento_log_drain {
	__u64 ino;		/* out: the file that the bytes are to be appended to */
	__u32 len;		/* out: bytes; 0: nothing waits */
	__u32 flags;		/* out: BENTO_LOG_* */
	__s32 result;		/* in: 0, or why the bytes of the last call were dropped */
	__u32 pad;
};

/* -------------------------------------------------------------- leaf calls */

/* bento_fs_ops.ops: same bits as bento::OpSet */
#define BENTO_OPS_CREATE	(1ULL << 0)
#define BENTO_OPS_MKDIR		(1ULL << 1)
#define BENTO_OPS_SYMLINK	(1ULL << 2)
#define BENTO_OPS_LINK		(1ULL << 3)
#define BENTO_OPS_UNLINK	(1ULL << 4)
#define BENTO_OPS_RENAME	(1ULL << 5)
#define BENTO_OPS_SETATTR	(1ULL << 6)
#define BENTO_OPS_MAP		(1ULL << 7)
#define BENTO_OPS_ALLOCATE	(1ULL << 8)
#define BENTO_OPS_READ		(1ULL << 9)
#define BENTO_OPS_WRITE		(1ULL << 10)
#define BENTO_OPS_SYNC		(1ULL << 11)
#define BENTO_OPS_XATTR		(1ULL << 12)
#define BENTO_OPS_FALLOCATE	(1ULL << 13)	/* needs MAP and ALLOCATE */
#define BENTO_OPS_TMPFILE	(1ULL << 14)	/* needs CREATE */
#define BENTO_OPS_FLAGS		(1ULL << 15)	/* BENTO_SET_FLAGS; needs SETATTR */
#define BENTO_OPS_TRIM		(1ULL << 16)
#define BENTO_OPS_EXPORT	(1ULL << 17)	/* parent() */
#define BENTO_OPS_EVENTS	(1ULL << 18)	/* event() */
#define BENTO_OPS_LOG		(1ULL << 19)	/* start_log(), drain_log(); needs ALLOCATE */
#define BENTO_OPS_ORPHANS	(1ULL << 20)	/* next_orphan() */

/* bento_fs_ops.caps */
#define BENTO_CAP_DEVICE	(1ULL << 0)	/* lives on a block device; else nodev */

/* For tracing, statistics and fault injection. */
enum bento_op {
	BENTO_OP_NONE, BENTO_OP_MOUNT, BENTO_OP_UNMOUNT, BENTO_OP_DESTROY, BENTO_OP_STATFS,
	BENTO_OP_LOAD, BENTO_OP_DROP_NODE, BENTO_OP_FORGET, BENTO_OP_LOOKUP, BENTO_OP_GETATTR,
	BENTO_OP_SETATTR, BENTO_OP_READDIR, BENTO_OP_CREATE, BENTO_OP_MKNOD, BENTO_OP_MKDIR,
	BENTO_OP_SYMLINK, BENTO_OP_READLINK, BENTO_OP_LINK, BENTO_OP_UNLINK, BENTO_OP_RMDIR,
	BENTO_OP_RENAME, BENTO_OP_MAP, BENTO_OP_ALLOCATE, BENTO_OP_COMMIT, BENTO_OP_READ,
	BENTO_OP_WRITE, BENTO_OP_FSYNC, BENTO_OP_SYNC, BENTO_OP_PREPARE, BENTO_OP_EXPORT,
	BENTO_OP_IMPORT, BENTO_OP_GETXATTR, BENTO_OP_SETXATTR, BENTO_OP_REMOVEXATTR,
	BENTO_OP_LISTXATTR, BENTO_OP_FALLOCATE, BENTO_OP_TMPFILE, BENTO_OP_TRIM, BENTO_OP_PARENT,
	/* export_state() and import_state(), tried before an upgrade while operations go on */
	BENTO_OP_TRY_EXPORT, BENTO_OP_TRY_IMPORT,
	BENTO_OP_EVENT, BENTO_OP_START_LOG, BENTO_OP_DRAIN_LOG, BENTO_OP_NEXT_ORPHAN,
	BENTO_OP_MAX
};

/*
 * What a file-system module offers. All pointers are set; an operation outside @ops is
 * never called. Every call runs in process context, may sleep, runs inside a NOFS
 * scope, and may take the locks of the file system. @fs is bento_mount_out.fs, @node
 * is bento_entry.node. What bentofs holds during each call is documented with the
 * method of the same name in rust/bento/src/fs.rs.
 */
struct bento_fs_ops {
	__u64 magic;		/* BENTO_ABI_MAGIC */
	__u32 abi_version;	/* BENTO_ABI_VERSION */
	__u32 size;		/* sizeof(struct bento_fs_ops) */
	__u64 ops;		/* BENTO_OPS_* */
	__u64 caps;		/* BENTO_CAP_* */
	__u32 schema_min;	/* oldest state that import() takes */
	__u32 schema;		/* what export() writes, newest that import() takes */
	__u8 name[16];		/* NUL-padded: 1..15 bytes */
	__u8 version[32];	/* NUL-padded: 1..31 bytes */

	int (*mount)(struct bento_cx *cx, const struct bento_mount_in *in,
		     struct bento_mount_out *out);
	int (*import_state)(struct bento_cx *cx, const struct bento_mount_in *in,
			    struct bento_mount_out *out);
	int (*unmount)(struct bento_cx *cx, __u64 fs);
	/* Frees the memory of an instance; no I/O, also of a failed one. Nodes may follow. */
	void (*destroy)(struct bento_cx *cx, __u64 fs);
	int (*prepare)(struct bento_cx *cx, __u64 fs);
	int (*export_state)(struct bento_cx *cx, __u64 fs, struct bento_state *state);
	int (*statfs)(struct bento_cx *cx, __u64 fs, struct bento_statfs *out);
	int (*sync)(struct bento_cx *cx, __u64 fs);

	int (*load)(struct bento_cx *cx, __u64 fs, __u64 ino, struct bento_entry *out);
	/* Frees the memory of a node; no I/O, may run under memory pressure. */
	void (*drop_node)(struct bento_cx *cx, __u64 node);
	/* -EAGAIN: partly done, call again. */
	int (*forget)(struct bento_cx *cx, __u64 fs, __u64 node);

	int (*lookup)(struct bento_cx *cx, __u64 fs, __u64 dir, const __u8 *name,
		      __u32 name_len, __u64 *ino);
	int (*getattr)(struct bento_cx *cx, __u64 fs, __u64 node, struct bento_attr *out);
	/* -EAGAIN: partly done, call again. */
	int (*setattr)(struct bento_cx *cx, __u64 fs, __u64 node,
		       const struct bento_setattr *in);
	/* Fills @buf with bento_dirent records; *used bytes, *more = 1 if entries remain. */
	int (*readdir)(struct bento_cx *cx, __u64 fs, __u64 dir, __u64 cookie, __u8 *buf,
		       __u32 len, __u32 *used, __u32 *more);
	int (*create)(struct bento_cx *cx, __u64 fs, __u64 dir, const struct bento_make_in *in,
		      struct bento_entry *out);
	int (*mknod)(struct bento_cx *cx, __u64 fs, __u64 dir, const struct bento_make_in *in,
		     struct bento_entry *out);
	int (*mkdir)(struct bento_cx *cx, __u64 fs, __u64 dir, const struct bento_make_in *in,
		     struct bento_entry *out);
	int (*symlink)(struct bento_cx *cx, __u64 fs, __u64 dir, const struct bento_make_in *in,
		       struct bento_entry *out);
	/* Returns the length. */
	int (*readlink)(struct bento_cx *cx, __u64 fs, __u64 node, __u8 *buf, __u32 len);
	int (*link)(struct bento_cx *cx, __u64 fs, __u64 node, __u64 dir, const __u8 *name,
		    __u32 name_len);
	int (*unlink)(struct bento_cx *cx, __u64 fs, __u64 dir, const __u8 *name, __u32 name_len,
		      __u64 child);
	int (*rmdir)(struct bento_cx *cx, __u64 fs, __u64 dir, const __u8 *name, __u32 name_len,
		     __u64 child);
	int (*rename)(struct bento_cx *cx, __u64 fs, const struct bento_rename_in *in);

	int (*map)(struct bento_cx *cx, __u64 fs, __u64 node, __u64 offset, __u64 len,
		   struct bento_extent *out);
	int (*allocate)(struct bento_cx *cx, __u64 fs, __u64 node, __u64 offset, __u64 len,
			struct bento_extent *out);
	int (*commit)(struct bento_cx *cx, __u64 fs, __u64 node, __u64 offset, __u64 len,
		      __u64 size);
	/* Return the number of bytes. @len <= 1 MiB. */
	int (*read)(struct bento_cx *cx, __u64 fs, __u64 node, __u64 offset, __u8 *buf, __u32 len);
	int (*write)(struct bento_cx *cx, __u64 fs, __u64 node, __u64 offset, const __u8 *buf,
		     __u32 len);
	int (*fsync)(struct bento_cx *cx, __u64 fs, __u64 node, __u32 datasync);

	/* Returns the length of the value; @len 0 asks for it. -ENODATA, -ERANGE: @len too small. */
	int (*getxattr)(struct bento_cx *cx, __u64 fs, __u64 node, const __u8 *name,
			__u32 name_len, __u8 *buf, __u32 len);
	/* @flags: BENTO_XATTR_*. -EEXIST, -ENODATA, -ENOSPC (nothing is changed). */
	int (*setxattr)(struct bento_cx *cx, __u64 fs, __u64 node, const struct bento_xattr *in,
			__u32 flags);
	int (*removexattr)(struct bento_cx *cx, __u64 fs, __u64 node, const __u8 *name,
			   __u32 name_len);
	/* Returns the length of all full names, each with a NUL; @len 0 asks for it. -ERANGE. */
	int (*listxattr)(struct bento_cx *cx, __u64 fs, __u64 node, __u8 *buf, __u32 len);

	/* -EAGAIN: partly done, call again (ALLOCATE, PUNCH, ZERO). */
	int (*fallocate)(struct bento_cx *cx, __u64 fs, __u64 node,
			 const struct bento_fallocate_in *in);
	/* A regular file without a name: nlink 0 until link(). */
	int (*tmpfile)(struct bento_cx *cx, __u64 fs, __u64 dir, const struct bento_make_in *in,
		       struct bento_entry *out);
	/* One bounded step; call again with start = next while next < end. */
	int (*trim)(struct bento_cx *cx, __u64 fs, struct bento_trim *inout);
	/* The directory that holds the directory @dir. */
	int (*parent)(struct bento_cx *cx, __u64 fs, __u64 dir, __u64 *ino);

	/* A file was used; @kind: BENTO_EVENT_*. The result changes nothing. */
	int (*event)(struct bento_cx *cx, __u64 fs, __u64 node, __u32 kind);
	/* Makes the files of the log where they are missing. Holds @root exclusively. */
	int (*start_log)(struct bento_cx *cx, __u64 fs, __u64 root, struct bento_log_start *out);
	/*
	 * Hands over records that wait, into @buf of @cap bytes (<= BENTO_LOG_BATCH_MAX). Also
	 * while the gate is closed, before export_state(). -ENOENT: start_log() comes first.
	 */
	int (*drain_log)(struct bento_cx *cx, __u64 fs, __u8 *buf, __u32 cap,
			 struct bento_log_drain *io);

	/*
	 * The first inode from @from on that has no name. -ENOENT: there is none. After a mount
	 * with BENTO_MOUNT_REPAIR, while the gate is closed.
	 */
	int (*next_orphan)(struct bento_cx *cx, __u64 fs, __u64 from, __u64 *ino);
};

/* ---------------------------------------------------------------- services */

/* Registration, from the C shim of a module (fs_module.c). @module: THIS_MODULE. */
struct module;
/* bento_register() flags */
#define BENTO_REGISTER_HOLD	(1U << 0)	/* register only; upgrades are asked for in sysfs */
#define BENTO_REGISTER_PREFERRED (1U << 1)	/* new mounts use this build */

/*
 * Registers a build of a file system; unless HOLD is given, upgrades all mounts of
 * its type. -ENOEXEC: other ABI (both versions are logged); -EEXIST: this very build
 * is registered; -EIO and others: no mount could be upgraded (logged per mount).
 */
int bento_register(const struct bento_fs_ops *ops, struct module *module, __u32 flags);
/* From the exit of the module: no mount uses it any more (they hold a module reference). */
void bento_unregister(const struct bento_fs_ops *ops);

/* Memory. All may sleep. Sizes in bytes; align is a power of two <= 4096. NULL: none left. */
void *bento_ks_alloc(__u64 size, __u64 align);
void *bento_ks_alloc_zeroed(__u64 size, __u64 align);
void *bento_ks_realloc(void *ptr, __u64 old_size, __u64 new_size, __u64 align);
void bento_ks_free(void *ptr);

/* level: 1 error, 2 warn, 3 info, 4 debug (as log::Level). @dev may be NULL. No newline. */
void bento_ks_log(struct bento_dev *dev, __u32 level, const __u8 *text, __u32 len);

/*
 * Panics. bento_ks_on_panic() runs first in the panic handler, before any destructor:
 * it finds the running leaf call of this task, marks its instance failed and wakes all
 * tasks that wait for its locks. @text: message, logged once with a backtrace.
 * bento_ks_panicking(): this task is unwinding (between on_panic and panic_done).
 * bento_ks_panic_done(): guard() has caught the panic.
 * bento_ks_bug(): nothing caught it; kills the task (BUG).
 */
void bento_ks_on_panic(const __u8 *text, __u32 len);
__u32 bento_ks_panicking(void);
void bento_ks_panic_done(void);
void bento_ks_bug(void);

/*
 * Sleeping side of bento-sync. The lock is one 32-bit word that Rust owns.
 * bento_ks_lock_wait(): sleeps until *word != expected may hold, i.e. until a wake for
 * @word, a spurious wake-up, or the failure of the instance. Returns 0 (look again) or
 * -EIO (instance failed: give up). bento_ks_lock_wake(): wakes all waiters of @word.
 */
int bento_ks_lock_wait(const __u32 *word, __u32 expected);
void bento_ks_lock_wake(const __u32 *word);

/*
 * Fault injection, for tests: a service that reports errors may return one of these, the
 * order to panic in that way. Each is another road through core, allocator or unwinder.
 */
enum bento_panic {
	BENTO_PANIC_MESSAGE = 1,	/* panic!() */
	BENTO_PANIC_INDEX,		/* index out of bounds */
	BENTO_PANIC_OVERFLOW,		/* arithmetic overflow */
	BENTO_PANIC_UNWRAP,		/* unwrap() of nothing */
	BENTO_PANIC_SLICE,		/* slice that ends before it starts */
	BENTO_PANIC_MEMORY,		/* allocation that cannot succeed */
	BENTO_PANIC_DROP,		/* in a destructor */
	BENTO_PANIC_DOUBLE,		/* in a destructor that runs because of a panic */
	BENTO_PANIC_END
};

/* A cached block. @lock: a word for bento-sync, 0 when the block enters the cache. */
struct bento_buf {
	__u64 handle;		/* counted; give back with bento_ks_buf_put() */
	__u8 *data;		/* BENTO_BLOCK_SIZE bytes, valid while the handle is */
	__u32 *lock;
};

struct bento_write {
	__u64 block;		/* target */
	const __u8 *data;	/* BENTO_BLOCK_SIZE bytes */
};

/* bento_ks_write() flags */
#define BENTO_WRITE_BARRIER	(1U << 0)	/* REQ_PREFLUSH before, durable when it returns */

__u64 bento_ks_dev_blocks(const struct bento_dev *dev);
__u32 bento_ks_dev_read_only(const struct bento_dev *dev);
/*
 * -EIO (device, behind the end, instance failed), -ENOMEM; > 0: enum bento_panic. Where @block is
 * read from the device, up to @ahead blocks behind it are asked for with it (255 at most, none
 * behind the end) and not waited for: their errors show when they are read themselves.
 */
int bento_ks_buf_read(struct bento_dev *dev, __u64 block, __u32 ahead, struct bento_buf *out);
int bento_ks_buf_zeroed(struct bento_dev *dev, __u64 block, struct bento_buf *out);
void bento_ks_buf_get(__u64 handle);
void bento_ks_buf_put(__u64 handle);
/* Writes and waits. -EIO, -EROFS, -ENOMEM; > 0: enum bento_panic. */
int bento_ks_write(struct bento_dev *dev, const struct bento_write *writes, __u32 count,
		   __u32 flags);
/* Makes all writes that have ended durable, file data included; no I/O if they are already. */
int bento_ks_flush(struct bento_dev *dev);
/*
 * Tells the device that @count blocks from @block hold nothing, and waits. What they read as
 * later is undefined. -EOPNOTSUPP: the device cannot; -EROFS; -EIO (device, behind the end,
 * instance failed); > 0: enum bento_panic.
 */
int bento_ks_discard(struct bento_dev *dev, __u64 block, __u64 count);

/* Appends to an exported state: -E2BIG, -ENOMEM; > 0: enum bento_panic. */
int bento_ks_state_write(struct bento_state *state, const __u8 *data, __u64 len);

#endif /* _BENTO_ABI_H */
