// SPDX-License-Identifier: GPL-2.0-only
/* /sys/fs/bentofs: what is loaded, and the state and control of each mount. See README.md. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/slab.h>
#include <linux/string_helpers.h>
#include <linux/sysfs.h>

#include "bentofs_i.h"

static struct kset *bento_kset;

/* -------------------------------------------------------------- whole module */

static ssize_t types_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return bento_types_show(buf);
}

static ssize_t abi_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", BENTO_ABI_VERSION);
}

static ssize_t prefer_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t len)
{
	char *name;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	name = kstrndup(buf, len, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	err = bento_prefer(strim(name));
	kfree(name);
	return err ?: len;
}

static struct kobj_attribute bento_types_attr = __ATTR_RO(types);
static struct kobj_attribute bento_abi_attr = __ATTR_RO(abi);
static struct kobj_attribute bento_prefer_attr = __ATTR_WO(prefer);

static const struct attribute *bento_root_attrs[] = {
	&bento_types_attr.attr,
	&bento_abi_attr.attr,
	&bento_prefer_attr.attr,
	NULL,
};

/* ---------------------------------------------------------------- per mount */

struct bento_attribute {
	struct attribute attr;
	ssize_t (*show)(struct bento_mount *bm, char *buf);
	ssize_t (*store)(struct bento_mount *bm, const char *buf, size_t len);
};

/* As in /proc/self/mountinfo. */
static ssize_t dev_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%u:%u\n", MAJOR(bm->sb->s_dev), MINOR(bm->sb->s_dev));
}

static ssize_t fs_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%s\n", bm->type->name);
}

/* bm->inst stays while upgrade_mutex is held; an upgrade takes a second at most. */
static ssize_t version_show(struct bento_mount *bm, char *buf)
{
	ssize_t len;

	mutex_lock(&bm->upgrade_mutex);
	len = sysfs_emit(buf, "%s\n", bm->inst->build->version);
	mutex_unlock(&bm->upgrade_mutex);
	return len;
}

static ssize_t build_show(struct bento_mount *bm, char *buf)
{
	ssize_t len;

	mutex_lock(&bm->upgrade_mutex);
	len = sysfs_emit(buf, "%s\n", bento_build_id(bm->inst->build));
	mutex_unlock(&bm->upgrade_mutex);
	return len;
}

static ssize_t state_show(struct bento_mount *bm, char *buf)
{
	const char *state = "active";

	if (READ_ONCE(bm->upgrading))
		state = "upgrading";
	else if (READ_ONCE(bm->shutdown))
		state = "shutdown";
	else if (bento_failed(bm))
		state = "failed";
	return sysfs_emit(buf, "%s\n", state);
}

static ssize_t upgrade_store(struct bento_mount *bm, const char *buf, size_t len)
{
	bool check = !strncmp(buf, "check ", 6);
	char *name;
	int err;

	name = kstrndup(buf + (check ? 6 : 0), len, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	err = bento_upgrade_by_name(bm, strim(name), check);
	kfree(name);
	return err ?: len;
}

static ssize_t drain_ms_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(bm->drain_ms));
}

/* More than ten minutes is a typing error, and must not overflow in jiffies. */
static ssize_t drain_ms_store(struct bento_mount *bm, const char *buf, size_t len)
{
	unsigned int ms;
	int err;

	err = kstrtouint(buf, 0, &ms);
	if (err)
		return err;
	if (!ms || ms > 600 * MSEC_PER_SEC)
		return -EINVAL;
	WRITE_ONCE(bm->drain_ms, ms);
	return len;
}

static ssize_t pause_ns_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(bm->pause_ns));
}

/* Where the pause went: drain, export, import, swap and wake. */
static ssize_t pause_steps_show(struct bento_mount *bm, char *buf)
{
	struct bento_stamps st;

	mutex_lock(&bm->upgrade_mutex);
	st = bm->stamps;
	mutex_unlock(&bm->upgrade_mutex);
	return sysfs_emit(buf, "drain %llu\nexport %llu\nimport %llu\nwake %llu\n",
			  st.drained - st.kill, st.exported - st.drained,
			  st.imported - st.exported, st.woken - st.imported);
}

static ssize_t upgrades_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&bm->upgrades));
}

static ssize_t panics_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&bm->panics));
}

static ssize_t ops_failed_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&bm->ops_failed));
}

static ssize_t last_error_show(struct bento_mount *bm, char *buf)
{
	bool admin = capable(CAP_SYS_ADMIN);
	ssize_t len;

	spin_lock(&bm->error_lock);
	len = sysfs_emit(buf, "%.*s\n", admin ? (int)sizeof(bm->last_error) : bm->error_public,
			 bm->last_error);
	spin_unlock(&bm->error_lock);
	return len;
}

void bento_last_error(struct bento_mount *bm, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	spin_lock(&bm->error_lock);
	bm->error_public = vscnprintf(bm->last_error, sizeof(bm->last_error), fmt, args);
	spin_unlock(&bm->error_lock);
	va_end(args);
}

/* What a file system says when it panics may hold names or data: that is not for everybody. */
void bento_last_error_panic(struct bento_mount *bm, u32 op, const u8 *text, u32 len)
{
	spin_lock(&bm->error_lock);
	bm->error_public = scnprintf(bm->last_error, sizeof(bm->last_error), "panic in %s",
				     bento_op_name(op));
	scnprintf(bm->last_error + bm->error_public, sizeof(bm->last_error) - bm->error_public,
		  ": %*pE", (int)min(len, 200U), text);
	spin_unlock(&bm->error_lock);
}

static ssize_t nodes_show(struct bento_mount *bm, char *buf)
{
	ssize_t len;

	mutex_lock(&bm->upgrade_mutex);
	len = sysfs_emit(buf, "%ld\n", atomic_long_read(&bm->inst->node_count));
	mutex_unlock(&bm->upgrade_mutex);
	return len;
}

static ssize_t ops_show(struct bento_mount *bm, char *buf)
{
	return bento_ops_show(bm, buf);
}

static ssize_t stuck_show(struct bento_mount *bm, char *buf)
{
	return sysfs_emit(buf, "%u\n", bento_stuck(bm));
}

static ssize_t history_show(struct bento_mount *bm, char *buf)
{
	return bento_history_show(bm, buf);
}

#define BENTO_ATTR_RO(name) \
	static struct bento_attribute name##_attr = __ATTR_RO(name)

BENTO_ATTR_RO(dev);
BENTO_ATTR_RO(fs);
BENTO_ATTR_RO(version);
BENTO_ATTR_RO(build);
BENTO_ATTR_RO(state);
BENTO_ATTR_RO(pause_ns);
BENTO_ATTR_RO(pause_steps);
BENTO_ATTR_RO(upgrades);
BENTO_ATTR_RO(panics);
BENTO_ATTR_RO(ops_failed);
BENTO_ATTR_RO(last_error);
BENTO_ATTR_RO(nodes);
BENTO_ATTR_RO(history);
BENTO_ATTR_RO(ops);
BENTO_ATTR_RO(stuck);
static struct bento_attribute upgrade_attr = __ATTR_WO(upgrade);
static struct bento_attribute drain_ms_attr = __ATTR_RW(drain_ms);

static struct attribute *bento_mount_attrs[] = {
	&dev_attr.attr,
	&fs_attr.attr,
	&version_attr.attr,
	&build_attr.attr,
	&state_attr.attr,
	&upgrade_attr.attr,
	&drain_ms_attr.attr,
	&pause_ns_attr.attr,
	&pause_steps_attr.attr,
	&upgrades_attr.attr,
	&panics_attr.attr,
	&ops_failed_attr.attr,
	&last_error_attr.attr,
	&nodes_attr.attr,
	&history_attr.attr,
	&ops_attr.attr,
	&stuck_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(bento_mount);

static ssize_t bento_attr_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	struct bento_attribute *a = container_of(attr, struct bento_attribute, attr);

	return a->show ? a->show(container_of(kobj, struct bento_mount, kobj), buf) : -EIO;
}

static ssize_t bento_attr_store(struct kobject *kobj, struct attribute *attr, const char *buf,
				size_t len)
{
	struct bento_attribute *a = container_of(attr, struct bento_attribute, attr);

	/* The mode lets root in; root of a container may lack this. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return a->store ? a->store(container_of(kobj, struct bento_mount, kobj), buf, len) : -EIO;
}

static const struct sysfs_ops bento_sysfs_ops = {
	.show	= bento_attr_show,
	.store	= bento_attr_store,
};

static void bento_kobj_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct bento_mount, kobj)->kobj_gone);
}

static const struct kobj_type bento_mount_ktype = {
	.default_groups	= bento_mount_groups,
	.sysfs_ops	= &bento_sysfs_ops,
	.release	= bento_kobj_release,
};

int bento_sysfs_add(struct bento_mount *bm)
{
	int err;

	init_completion(&bm->kobj_gone);
	bm->kobj.kset = bento_kset;
	err = kobject_init_and_add(&bm->kobj, &bento_mount_ktype, NULL, "%s", bm->id);
	if (err) {
		kobject_put(&bm->kobj);
		wait_for_completion(&bm->kobj_gone);
	}
	return err;
}

/* Waits for readers and writers of the files. */
void bento_sysfs_remove(struct bento_mount *bm)
{
	kobject_del(&bm->kobj);
	kobject_put(&bm->kobj);
	wait_for_completion(&bm->kobj_gone);
}

int __init bento_sysfs_init(void)
{
	int err;

	bento_kset = kset_create_and_add("bentofs", NULL, fs_kobj);
	if (!bento_kset)
		return -ENOMEM;
	err = sysfs_create_files(&bento_kset->kobj, bento_root_attrs);
	if (err)
		kset_unregister(bento_kset);
	return err;
}

void bento_sysfs_exit(void)
{
	sysfs_remove_files(&bento_kset->kobj, bento_root_attrs);
	kset_unregister(bento_kset);
}
