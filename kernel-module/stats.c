// SPDX-License-Identifier: GPL-2.0-only
/*
 * What leaf calls cost: how many there were of each operation (always counted), and how long
 * they took (only while somebody asks, behind a static key).
 *
 * A call that is made inside another one (attributes that are read back, an inode that is loaded
 * on the way) is part of that one and not counted.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/debugfs.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#include "bentofs_i.h"

/* Bucket i holds [2^(i+6), 2^(i+7)) ns; the first and the last one all below and above. */
#define BENTO_BUCKETS		24U
#define BENTO_BUCKET_SHIFT	6

struct bento_op_latency {
	u64 count;
	u64 errors;
	u64 total_ns;
	u64 max_ns;
	u64 buckets[BENTO_BUCKETS];
};

struct bento_latency {
	struct bento_op_latency op[BENTO_OP_MAX];
};

DEFINE_STATIC_KEY_FALSE(bento_observe_key);
static DEFINE_MUTEX(bento_latency_lock);	/* bm->latency, bm->latency_on */
static struct dentry *bento_debugfs;

/* ------------------------------------------------------------------ counters */

ssize_t bento_ops_show(struct bento_mount *bm, char *buf)
{
	ssize_t len = 0;
	u32 op, cpu;

	for (op = 0; op < BENTO_OP_MAX; op++) {
		u64 calls = 0, errors = 0;

		for_each_possible_cpu(cpu) {
			calls += READ_ONCE(per_cpu_ptr(bm->counts, cpu)->calls[op]);
			errors += READ_ONCE(per_cpu_ptr(bm->counts, cpu)->errors[op]);
		}
		if (calls)
			len += sysfs_emit_at(buf, len, "%s %llu %llu\n", bento_op_name(op), calls,
					     errors);
	}
	return len;
}

/* ----------------------------------------------------------------- latencies */

static u32 bento_bucket(u64 ns)
{
	u32 log = ns ? ilog2(ns) : 0;

	return log <= BENTO_BUCKET_SHIFT ? 0 :
	       min(log - BENTO_BUCKET_SHIFT, BENTO_BUCKETS - 1);
}

static void bento_latency_count(struct bento_mount *bm, u32 op, u64 ns, bool error)
{
	struct bento_op_latency *lat = &get_cpu_ptr(bm->latency)->op[op];

	lat->count++;
	lat->errors += error;
	lat->total_ns += ns;
	lat->max_ns = max(lat->max_ns, ns);
	lat->buckets[bento_bucket(ns)]++;
	put_cpu_ptr(bm->latency);
}

/* Behind bento_observe_key: some mount is timed or watched. */
noinline void bento_observe_begin(struct bento_call *call)
{
	call->start = ktime_get_ns();
	bento_watch_begin(call);
}

/* For calls that began so, even if nobody is interested any more. */
noinline void bento_observe_end(struct bento_call *call, int ret)
{
	bento_watch_end(call);
	if (smp_load_acquire(&call->bm->latency_on))
		bento_latency_count(call->bm, call->cx.op, ktime_get_ns() - call->start, ret < 0);
}

static int bento_latency_enable(struct bento_mount *bm, bool on)
{
	int err = 0;

	mutex_lock(&bento_latency_lock);
	if (on && !bm->latency)
		bm->latency = alloc_percpu(struct bento_latency);
	if (on && !bm->latency)
		err = -ENOMEM;
	if (!err && on != bm->latency_on) {
		smp_store_release(&bm->latency_on, on);
		if (on)
			static_branch_inc(&bento_observe_key);
		else
			static_branch_dec(&bento_observe_key);
	}
	mutex_unlock(&bento_latency_lock);
	return err;
}

static void bento_latency_sum(struct bento_mount *bm, u32 op, struct bento_op_latency *sum)
{
	u32 cpu, i;

	*sum = (struct bento_op_latency) { };
	for_each_possible_cpu(cpu) {
		const struct bento_op_latency *lat = &per_cpu_ptr(bm->latency, cpu)->op[op];

		sum->count += lat->count;
		sum->errors += lat->errors;
		sum->total_ns += lat->total_ns;
		sum->max_ns = max(sum->max_ns, lat->max_ns);
		for (i = 0; i < BENTO_BUCKETS; i++)
			sum->buckets[i] += lat->buckets[i];
	}
}

static int bento_latency_show(struct seq_file *m, void *unused)
{
	struct bento_mount *bm = m->private;
	struct bento_op_latency sum;
	u32 op, i;

	mutex_lock(&bento_latency_lock);
	for (op = 0; bm->latency && op < BENTO_OP_MAX; op++) {
		bento_latency_sum(bm, op, &sum);
		if (!sum.count)
			continue;
		seq_printf(m, "%s %llu %llu %llu %llu", bento_op_name(op), sum.count, sum.errors,
			   sum.total_ns, sum.max_ns);
		for (i = 0; i < BENTO_BUCKETS; i++)
			seq_printf(m, " %llu", sum.buckets[i]);
		seq_putc(m, '\n');
	}
	mutex_unlock(&bento_latency_lock);
	return 0;
}

static int bento_latency_open(struct inode *inode, struct file *file)
{
	return single_open(file, bento_latency_show, inode->i_private);
}

/* 0 forgets what was measured; calls that end meanwhile may be counted in part. */
static ssize_t bento_latency_write(struct file *file, const char __user *ubuf, size_t len,
				   loff_t *ppos)
{
	struct bento_mount *bm = ((struct seq_file *)file->private_data)->private;
	u32 cpu, value;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = kstrtou32_from_user(ubuf, len, 0, &value);
	if (err || value)
		return err ?: -EINVAL;
	mutex_lock(&bento_latency_lock);
	if (bm->latency)
		for_each_possible_cpu(cpu)
			memset(per_cpu_ptr(bm->latency, cpu), 0, sizeof(struct bento_latency));
	mutex_unlock(&bento_latency_lock);
	return len;
}

static const struct file_operations bento_latency_fops = {
	.owner	 = THIS_MODULE,
	.open	 = bento_latency_open,
	.read	 = seq_read,
	.write	 = bento_latency_write,
	.llseek	 = seq_lseek,
	.release = single_release,
};

static int bento_enable_get(void *data, u64 *value)
{
	*value = READ_ONCE(((struct bento_mount *)data)->latency_on);
	return 0;
}

static int bento_enable_set(void *data, u64 value)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return value > 1 ? -EINVAL : bento_latency_enable(data, value);
}
DEFINE_DEBUGFS_ATTRIBUTE(bento_enable_fops, bento_enable_get, bento_enable_set, "%llu\n");

/* ------------------------------------------------------------------ lifetime */

int bento_stats_init(struct bento_mount *bm)
{
	bm->counts = alloc_percpu(struct bento_counts);
	return bm->counts ? 0 : -ENOMEM;
}

void bento_stats_exit(struct bento_mount *bm)
{
	free_percpu(bm->latency);
	free_percpu(bm->counts);
}

void bento_debugfs_add(struct bento_mount *bm)
{
	bm->debugfs = debugfs_create_dir(bm->id, bento_debugfs);
	debugfs_create_file("latency", 0600, bm->debugfs, bm, &bento_latency_fops);
	debugfs_create_file_unsafe("latency_enable", 0600, bm->debugfs, bm, &bento_enable_fops);
	bento_inject_add(bm);
}

/* debugfs waits for readers and writers of the files. */
void bento_debugfs_remove(struct bento_mount *bm)
{
	debugfs_remove_recursive(bm->debugfs);
	bm->debugfs = NULL;
	bento_latency_enable(bm, false);
}

void __init bento_debugfs_init(void)
{
	bento_debugfs = debugfs_create_dir("bentofs", NULL);
}

void bento_debugfs_exit(void)
{
	debugfs_remove_recursive(bento_debugfs);
}
