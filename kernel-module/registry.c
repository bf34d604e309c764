// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which file systems exist, and which builds offer them.
 *
 * Each name is one file_system_type, so that "mount -t xv6" works. The slots are static: an
 * fs_context may hold a pointer to one while the last module of that name goes away, and
 * lockdep wants static keys. A slot keeps its name for ever.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/ctype.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>

#include "bentofs_i.h"

#define BENTO_TYPES_MAX	16

static struct bento_type bento_types[BENTO_TYPES_MAX];
DEFINE_MUTEX(bento_registry_lock);

const char *bento_build_id(const struct bento_build *build)
{
	return module_name(build->module);
}

void bento_build_put(struct bento_build *build)
{
	module_put(build->module);
}

struct bento_build *bento_build_get_preferred(struct bento_type *type)
{
	struct bento_build *build;

	mutex_lock(&bento_registry_lock);
	build = type->preferred;
	if (build && !try_module_get(build->module))
		build = NULL;
	mutex_unlock(&bento_registry_lock);
	return build;
}

struct bento_build *bento_build_find(struct bento_type *type, const char *text)
{
	struct bento_build *build, *found = ERR_PTR(-ENOENT);

	mutex_lock(&bento_registry_lock);
	list_for_each_entry(build, &type->builds, link) {
		if (!build->live)
			continue;
		if (!strcmp(bento_build_id(build), text)) {
			found = build;
			break;
		}
		if (strcmp(build->version, text))
			continue;
		found = IS_ERR(found) && PTR_ERR(found) == -ENOENT ? build : ERR_PTR(-ENOTUNIQ);
	}
	if (!IS_ERR(found) && !try_module_get(found->module))
		found = ERR_PTR(-ENOENT);
	mutex_unlock(&bento_registry_lock);
	return found;
}

void bento_type_add_mount(struct bento_mount *bm)
{
	mutex_lock(&bento_registry_lock);
	list_add_tail(&bm->type_link, &bm->type->mounts);
	mutex_unlock(&bento_registry_lock);
}

void bento_type_remove_mount(struct bento_mount *bm)
{
	mutex_lock(&bento_registry_lock);
	list_del_init(&bm->type_link);
	mutex_unlock(&bento_registry_lock);
}

/*
 * For /sys/fs/bentofs/types, one line per build: type, version, module, "*" for the one that new
 * mounts use, which schema of state it writes and which it reads.
 */
ssize_t bento_types_show(char *buf)
{
	struct bento_build *build;
	ssize_t len = 0;
	int i;

	mutex_lock(&bento_registry_lock);
	for (i = 0; i < BENTO_TYPES_MAX; i++) {
		if (!bento_types[i].used)
			continue;
		list_for_each_entry(build, &bento_types[i].builds, link)
			len += sysfs_emit_at(buf, len, "%s %s %s %c schema=%u reads=%u-%u\n",
					     bento_types[i].name, build->version,
					     bento_build_id(build),
					     build == bento_types[i].preferred ? '*' : '-',
					     build->ops->schema, build->ops->schema_min,
					     build->ops->schema);
	}
	mutex_unlock(&bento_registry_lock);
	return len;
}

/* ------------------------------------------------------------- registration */

/*
 * Not even the name may be read from a table of another ABI: only the first three fields
 * never move.
 */
static int bento_check_abi(const struct bento_fs_ops *ops, struct module *module)
{
	if (ops->magic != BENTO_ABI_MAGIC) {
		pr_err("%s: refused: its operation table has magic %#llx, bentofs expects %#llx; rebuild it with the bentofs that is loaded\n",
		       module_name(module), ops->magic, BENTO_ABI_MAGIC);
		return -ENOEXEC;
	}
	if (ops->abi_version != BENTO_ABI_VERSION || ops->size != sizeof(*ops)) {
		pr_err("%s: refused: built for bentofs ABI %u (table of %u bytes), this bentofs has ABI %u (%zu bytes); rebuild it\n",
		       module_name(module), ops->abi_version, ops->size, BENTO_ABI_VERSION,
		       sizeof(*ops));
		return -ENOEXEC;
	}
	return 0;
}

static bool bento_valid_text(const u8 *text, size_t size)
{
	size_t len = strnlen(text, size), i;

	if (!len || len == size)
		return false;
	for (i = 0; i < len; i++)
		if (!isgraph(text[i]) || text[i] == '/' || text[i] == ',')
			return false;
	return true;
}

static int bento_check_ops(const struct bento_fs_ops *ops, struct module *module)
{
	int err;

	err = bento_check_abi(ops, module);
	if (err)
		return err;
	if (!bento_valid_text(ops->name, sizeof(ops->name)) ||
	    !bento_valid_text(ops->version, sizeof(ops->version))) {
		pr_err("%s: refused: its name or version is empty, too long or not printable\n",
		       module_name(module));
		return -EINVAL;
	}
	if ((ops->ops & BENTO_OPS_MAP) && !(ops->caps & BENTO_CAP_DEVICE)) {
		pr_err("%s: refused: it maps file data but has no device\n", module_name(module));
		return -EINVAL;
	}
	return 0;
}

static struct bento_type *bento_type_get(const char *name)
{
	struct bento_type *free = NULL;
	int i;

	for (i = 0; i < BENTO_TYPES_MAX; i++) {
		struct bento_type *type = &bento_types[i];

		if (type->used && !strcmp(type->name, name))
			return type;
		if (!type->used && !free)
			free = type;
	}
	if (!free)
		return NULL;
	free->used = true;
	strscpy(free->name, name, sizeof(free->name));
	INIT_LIST_HEAD(&free->builds);
	INIT_LIST_HEAD(&free->mounts);
	return free;
}

static int bento_type_register(struct bento_type *type, bool device)
{
	int err;

	if (type->registered)
		return 0;
	type->device = device;
	type->fst.owner = THIS_MODULE;
	type->fst.name = type->name;
	type->fst.init_fs_context = bento_init_fs_context;
	type->fst.kill_sb = bento_kill_sb;
	type->fst.fs_flags = FS_ALLOW_IDMAP | (device ? FS_REQUIRES_DEV : 0);
	err = register_filesystem(&type->fst);
	if (err) {
		pr_err("cannot register the file system %s (error %d): another driver has that name\n",
		       type->name, err);
		return err;
	}
	type->registered = true;
	return 0;
}

static struct bento_build *bento_build_by_ops(const struct bento_fs_ops *ops)
{
	struct bento_build *build;
	int i;

	for (i = 0; i < BENTO_TYPES_MAX; i++) {
		if (!bento_types[i].used)
			continue;
		list_for_each_entry(build, &bento_types[i].builds, link)
			if (build->ops == ops)
				return build;
	}
	return NULL;
}

/* Under bento_registry_lock. */
static int bento_build_add(struct bento_build *build)
{
	bool device = build->ops->caps & BENTO_CAP_DEVICE;
	struct bento_type *type;
	int err;

	if (bento_build_by_ops(build->ops))
		return -EEXIST;
	type = bento_type_get((const char *)build->ops->name);
	if (!type) {
		pr_err("%s: refused: all %d file-system names are taken; reload bentofs\n",
		       bento_build_id(build), BENTO_TYPES_MAX);
		return -ENOSPC;
	}
	if (!list_empty(&type->builds) && type->device != device) {
		pr_err("%s: refused: other builds of %s %s a device\n", bento_build_id(build),
		       type->name, type->device ? "need" : "do not need");
		return -EINVAL;
	}
	err = bento_type_register(type, device);
	if (err)
		return err;
	build->type = type;
	list_add_tail(&build->link, &type->builds);
	return 0;
}

/*
 * Until now only bento_upgrade_all() knew the build: had a mount or sysfs found it, the init
 * of its module could no longer fail.
 */
static void bento_build_publish(struct bento_build *build, bool prefer)
{
	mutex_lock(&bento_registry_lock);
	build->live = true;
	if (prefer || !build->type->preferred)
		build->type->preferred = build;
	mutex_unlock(&bento_registry_lock);
}

/* From now on new mounts of its type use the build with this module name. */
int bento_prefer(const char *id)
{
	struct bento_build *build;
	int i, err = -ENOENT;

	mutex_lock(&bento_registry_lock);
	for (i = 0; i < BENTO_TYPES_MAX; i++) {
		if (!bento_types[i].used)
			continue;
		list_for_each_entry(build, &bento_types[i].builds, link) {
			if (!build->live || strcmp(bento_build_id(build), id))
				continue;
			build->type->preferred = build;
			err = 0;
		}
	}
	mutex_unlock(&bento_registry_lock);
	return err;
}

static struct bento_build *bento_newest_live(struct bento_type *type)
{
	struct bento_build *build;

	list_for_each_entry_reverse(build, &type->builds, link)
		if (build->live)
			return build;
	return NULL;
}

/* Under bento_registry_lock. No mount and no fs_context holds the module any more. */
static void bento_build_remove(struct bento_build *build)
{
	struct bento_type *type = build->type;

	list_del(&build->link);
	if (type->preferred == build)
		type->preferred = bento_newest_live(type);
	if (list_empty(&type->builds)) {
		unregister_filesystem(&type->fst);
		type->registered = false;
	}
}

/* Takes a reference on each mount of @type that another build serves. NULL: no memory. */
static struct bento_mount **bento_collect_mounts(struct bento_build *build, unsigned int *count)
{
	struct bento_mount **list, *bm;
	unsigned int n = 0;

	mutex_lock(&bento_registry_lock);
	list_for_each_entry(bm, &build->type->mounts, type_link)
		n++;
	list = kvcalloc(n + 1, sizeof(*list), GFP_KERNEL);
	n = 0;
	if (list)
		list_for_each_entry(bm, &build->type->mounts, type_link)
			if (bento_mount_get(bm))
				list[n++] = bm;
	mutex_unlock(&bento_registry_lock);
	*count = n;
	return list;
}

/*
 * Upgrades all mounts of the type, one after the other. A mount that cannot be upgraded
 * stays as it is. Fails only where there are mounts and none took the new build.
 */
static int bento_upgrade_all(struct bento_build *build, bool *all)
{
	unsigned int count, done = 0, i;
	struct bento_mount **list;
	int err = 0, ret;

	list = bento_collect_mounts(build, &count);
	if (!list)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		ret = bento_upgrade(list[i], build, false);
		if (ret)
			err = ret;
		else
			done++;
		bento_mount_put(list[i]);
	}
	kvfree(list);
	*all = done == count;
	return count && !done ? err : 0;
}

int bento_register(const struct bento_fs_ops *ops, struct module *module, u32 flags)
{
	struct bento_build *build;
	bool all = false;
	int err;

	err = bento_check_ops(ops, module);
	if (err)
		return err;
	build = kzalloc(sizeof(*build), GFP_KERNEL);
	if (!build)
		return -ENOMEM;
	build->ops = ops;
	build->module = module;
	build->flags = flags;
	strscpy(build->version, (const char *)ops->version, sizeof(build->version));
	mutex_lock(&bento_registry_lock);
	err = bento_build_add(build);
	mutex_unlock(&bento_registry_lock);
	if (err)
		goto free;
	pr_info("%s: offers %s %s\n", bento_build_id(build), build->type->name, build->version);
	if (!(flags & BENTO_REGISTER_HOLD)) {
		err = bento_upgrade_all(build, &all);
		if (err)
			goto remove;
	}
	bento_build_publish(build, all || (flags & BENTO_REGISTER_PREFERRED));
	return 0;
remove:
	mutex_lock(&bento_registry_lock);
	bento_build_remove(build);
	mutex_unlock(&bento_registry_lock);
free:
	kfree(build);
	return err;
}
EXPORT_SYMBOL_GPL(bento_register);

void bento_unregister(const struct bento_fs_ops *ops)
{
	struct bento_build *build;

	mutex_lock(&bento_registry_lock);
	build = bento_build_by_ops(ops);
	if (build)
		bento_build_remove(build);
	mutex_unlock(&bento_registry_lock);
	kfree(build);
}
EXPORT_SYMBOL_GPL(bento_unregister);
