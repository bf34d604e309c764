// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection for tests: makes a chosen service call inside a chosen operation fail,
 * sleep or panic, once. Only with the module parameter inject=1, through
 * /sys/kernel/debug/bentofs/<id>/inject (see README.md).
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bentofs_i.h"

static bool inject;
module_param(inject, bool, 0444);
MODULE_PARM_DESC(inject, "offer fault injection in debugfs, for tests (default no)");

enum bento_action {
	BENTO_ACT_PANIC,
	BENTO_ACT_SLEEP,
	BENTO_ACT_SLEEPPANIC,
	BENTO_ACT_EIO,
	BENTO_ACT_DAMAGE,		/* no service call: a state, or what an operation answers */
};

/* "panic" is panic!(), "panic:NAME" another way: enum bento_panic. */
static const char *const bento_panic_names[BENTO_PANIC_END] = {
	[0] = "",
	[BENTO_PANIC_MESSAGE] = "message",
	[BENTO_PANIC_INDEX] = "index",
	[BENTO_PANIC_OVERFLOW] = "overflow",
	[BENTO_PANIC_UNWRAP] = "unwrap",
	[BENTO_PANIC_SLICE] = "slice",
	[BENTO_PANIC_MEMORY] = "memory",
	[BENTO_PANIC_DROP] = "drop",
	[BENTO_PANIC_DOUBLE] = "double",
};

static const char *const bento_op_names[BENTO_OP_MAX] = {
	[BENTO_OP_NONE] = "none",	  [BENTO_OP_MOUNT] = "mount",
	[BENTO_OP_UNMOUNT] = "unmount",	  [BENTO_OP_DESTROY] = "destroy",
	[BENTO_OP_STATFS] = "statfs",	  [BENTO_OP_LOAD] = "load",
	[BENTO_OP_DROP_NODE] = "drop_node", [BENTO_OP_FORGET] = "forget",
	[BENTO_OP_LOOKUP] = "lookup",	  [BENTO_OP_GETATTR] = "getattr",
	[BENTO_OP_SETATTR] = "setattr",	  [BENTO_OP_READDIR] = "readdir",
	[BENTO_OP_CREATE] = "create",	  [BENTO_OP_MKNOD] = "mknod",
	[BENTO_OP_MKDIR] = "mkdir",	  [BENTO_OP_SYMLINK] = "symlink",
	[BENTO_OP_READLINK] = "readlink", [BENTO_OP_LINK] = "link",
	[BENTO_OP_UNLINK] = "unlink",	  [BENTO_OP_RMDIR] = "rmdir",
	[BENTO_OP_RENAME] = "rename",	  [BENTO_OP_MAP] = "map",
	[BENTO_OP_ALLOCATE] = "allocate", [BENTO_OP_COMMIT] = "commit",
	[BENTO_OP_READ] = "read",	  [BENTO_OP_WRITE] = "write",
	[BENTO_OP_FSYNC] = "fsync",	  [BENTO_OP_SYNC] = "sync",
	[BENTO_OP_PREPARE] = "prepare",	  [BENTO_OP_EXPORT] = "export",
	[BENTO_OP_IMPORT] = "import",	  [BENTO_OP_GETXATTR] = "getxattr",
	[BENTO_OP_SETXATTR] = "setxattr", [BENTO_OP_REMOVEXATTR] = "removexattr",
	[BENTO_OP_LISTXATTR] = "listxattr", [BENTO_OP_FALLOCATE] = "fallocate",
	[BENTO_OP_TMPFILE] = "tmpfile",	  [BENTO_OP_TRIM] = "trim",
	[BENTO_OP_PARENT] = "parent",	  [BENTO_OP_TRY_EXPORT] = "try_export",
	[BENTO_OP_TRY_IMPORT] = "try_import",
	[BENTO_OP_EVENT] = "event",	  [BENTO_OP_START_LOG] = "start_log",
	[BENTO_OP_DRAIN_LOG] = "drain_log",
	[BENTO_OP_NEXT_ORPHAN] = "next_orphan",
};

const char *bento_op_name(u32 op)
{
	return op < BENTO_OP_MAX ? bento_op_names[op] : "unknown";
}

/* The service call that @inst is making now: is it the chosen one? Then disarms. */
static bool bento_inject_take(struct bento_mount *bm, u32 *action, u32 *arg)
{
	struct bento_cx *cx = bento_cx_find();
	struct bento_inject *inj = &bm->inject;
	bool hit = false;

	spin_lock(&inj->lock);
	if (inj->armed && inj->action != BENTO_ACT_DAMAGE && cx && cx->op == inj->op &&
	    !--inj->nth) {
		hit = true;
		WRITE_ONCE(inj->armed, 0);
		*action = inj->action;
		*arg = inj->arg;
	}
	spin_unlock(&inj->lock);
	return hit;
}

int bento_inject_hit(struct bento_inst *inst)
{
	u32 action, arg;

	if (!bento_inject_take(inst->bm, &action, &arg))
		return 0;
	if (action == BENTO_ACT_SLEEP || action == BENTO_ACT_SLEEPPANIC)
		msleep(arg);
	switch (action) {
	case BENTO_ACT_EIO:
		return -EIO;
	case BENTO_ACT_SLEEP:
		return 0;
	case BENTO_ACT_PANIC:
		return arg;
	default:
		return BENTO_PANIC_MESSAGE;
	}
}

/* Turns over all bits of one byte, once. Fewer bytes than that wait for the next time. */
void bento_inject_damage_hit(struct bento_mount *bm, u32 op, void *bytes, u64 len)
{
	struct bento_inject *inj = &bm->inject;

	spin_lock(&inj->lock);
	if (inj->armed && inj->action == BENTO_ACT_DAMAGE && inj->op == op && inj->arg < len &&
	    !--inj->nth) {
		WRITE_ONCE(inj->armed, 0);
		((u8 *)bytes)[inj->arg] ^= 0xff;
	}
	spin_unlock(&inj->lock);
}

/* ------------------------------------------------------------------ debugfs */

static int bento_parse_action(char *text, struct bento_inject *inj)
{
	char *arg = strchr(text, ':');
	int way;

	if (arg)
		*arg++ = '\0';
	inj->arg = 0;
	if (!strcmp(text, "panic")) {
		way = arg ? match_string(bento_panic_names, BENTO_PANIC_END, arg)
			  : BENTO_PANIC_MESSAGE;
		inj->action = BENTO_ACT_PANIC;
		inj->arg = way;
		return way > 0 ? 0 : -EINVAL;
	}
	if (!strcmp(text, "eio")) {
		inj->action = BENTO_ACT_EIO;
		return arg ? -EINVAL : 0;
	}
	if (!strcmp(text, "sleep"))
		inj->action = BENTO_ACT_SLEEP;
	else if (!strcmp(text, "sleeppanic"))
		inj->action = BENTO_ACT_SLEEPPANIC;
	else if (!strcmp(text, "damage"))
		inj->action = BENTO_ACT_DAMAGE;
	else
		return -EINVAL;
	return arg ? kstrtou32(arg, 0, &inj->arg) : -EINVAL;
}

/* "op=unlink nth=2 action=sleeppanic:100"; nth is 1 where it is missing. */
static int bento_inject_parse(char *text, struct bento_inject *inj)
{
	bool has_op = false, has_action = false;
	char *word;
	int err;

	inj->nth = 1;
	while ((word = strsep(&text, " \n"))) {
		if (!*word)
			continue;
		if (!strncmp(word, "op=", 3)) {
			err = match_string(bento_op_names, BENTO_OP_MAX, word + 3);
			inj->op = err;
			has_op = true;
		} else if (!strncmp(word, "nth=", 4)) {
			err = kstrtou32(word + 4, 0, &inj->nth) ?: inj->nth ? 0 : -EINVAL;
		} else if (!strncmp(word, "action=", 7)) {
			err = bento_parse_action(word + 7, inj);
			has_action = true;
		} else {
			err = -EINVAL;
		}
		if (err < 0)
			return err;
	}
	return has_op && has_action ? 0 : -EINVAL;
}

static ssize_t bento_inject_write(struct file *file, const char __user *ubuf, size_t len,
				  loff_t *ppos)
{
	struct bento_mount *bm = file->private_data;
	struct bento_inject inj = {};
	char *text;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len > 128)
		return -EINVAL;
	text = memdup_user_nul(ubuf, len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = bento_inject_parse(text, &inj);
	kfree(text);
	if (err)
		return err;
	spin_lock(&bm->inject.lock);
	bm->inject.op = inj.op;
	bm->inject.nth = inj.nth;
	bm->inject.action = inj.action;
	bm->inject.arg = inj.arg;
	WRITE_ONCE(bm->inject.armed, 1);
	spin_unlock(&bm->inject.lock);
	return len;
}

/* Tells whether the armed fault is still to come. */
static ssize_t bento_inject_read(struct file *file, char __user *ubuf, size_t len, loff_t *ppos)
{
	struct bento_mount *bm = file->private_data;
	char text[64];
	int n;

	spin_lock(&bm->inject.lock);
	if (bm->inject.armed)
		n = scnprintf(text, sizeof(text), "armed op=%s nth=%u\n",
			      bento_op_name(bm->inject.op), bm->inject.nth);
	else
		n = scnprintf(text, sizeof(text), "idle\n");
	spin_unlock(&bm->inject.lock);
	return simple_read_from_buffer(ubuf, len, ppos, text, n);
}

static const struct file_operations bento_inject_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= bento_inject_read,
	.write	= bento_inject_write,
	.llseek	= default_llseek,
};

void bento_inject_add(struct bento_mount *bm)
{
	if (inject)
		debugfs_create_file("inject", 0600, bm->debugfs, bm, &bento_inject_fops);
}
