// SPDX-License-Identifier: GPL-2.0-only
/* Instances: the file-system object of one build behind one mount. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/slab.h>

#include "bentofs_i.h"

struct bento_inst *bento_inst_alloc(struct bento_mount *bm, struct bento_build *build)
{
	struct bento_inst *inst;

	inst = kzalloc(sizeof(*inst), GFP_KERNEL);
	if (!inst)
		return NULL;
	__module_get(build->module);
	inst->build = build;
	inst->ops = build->ops;
	inst->bm = bm;
	inst->number = ++bm->instances;
	INIT_LIST_HEAD(&inst->nodes);
	inst->dev.bm = bm;
	inst->dev.inst = inst;
	inst->dev.bdev = bm->sb->s_bdev;
	if (inst->dev.bdev)
		inst->dev.blocks = bdev_nr_bytes(inst->dev.bdev) >> BENTO_BLOCK_BITS;
	return inst;
}

/* Validates what mount() or import_state() returned in @out, and takes it over. */
static int bento_check_mount_out(struct bento_inst *inst, const struct bento_mount_out *out)
{
	if (!out->fs)
		return -EIO;
	inst->fs = out->fs;
	inst->root = out->root;
	inst->max_file_size = min_t(u64, out->max_file_size, MAX_LFS_FILESIZE);
	if (!out->root || !out->max_file_size) {
		bento_err(inst->bm, "%s returned root inode %llu and largest file %llu",
			  bento_build_id(inst->build), out->root, out->max_file_size);
		return -EIO;
	}
	return 0;
}

int bento_inst_start(struct bento_inst *inst, u32 op, struct bento_mount_in *in)
{
	struct bento_mount_out out = {};
	struct bento_call call __uninitialized;
	int err;

	in->dev = &inst->dev;
	in->options = (const u8 *)inst->bm->options;
	in->options_len = strlen(inst->bm->options);
	inst->rdonly = in->flags & BENTO_MOUNT_RDONLY;
	bento_enter_inst(&call, op, inst);
	if (op == BENTO_OP_MOUNT)
		err = inst->ops->mount(&call.cx, in, &out);
	else
		err = inst->ops->import_state(&call.cx, in, &out);
	err = bento_leave(&call, err);
	if (err)
		return err < 0 ? err : -EIO;
	return bento_check_mount_out(inst, &out);
}

void bento_inst_end(struct bento_inst *inst)
{
	struct bento_call call __uninitialized;

	if (!inst->fs)
		return;
	bento_enter_inst(&call, BENTO_OP_DESTROY, inst);
	inst->ops->destroy(&call.cx, inst->fs);
	bento_leave(&call, 0);
	inst->fs = 0;
}

void bento_inst_destroy(struct bento_inst *inst)
{
	bento_nodes_drop_all(inst);
	bento_inst_end(inst);
}

void bento_inst_free(struct bento_inst *inst)
{
	bento_inst_destroy(inst);
	bento_build_put(inst->build);
	kfree_rcu(inst, rcu);
}
