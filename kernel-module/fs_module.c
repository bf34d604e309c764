// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C side of a file-system module: all that the kernel wants to see of one. Linked with
 * the Rust staticlib of its crate; see Kbuild for the macros.
 */
#include <linux/module.h>

#include "include/bento_abi.h"

/* From the Rust side (macro bento_module!). */
extern const struct bento_fs_ops bento_rust_ops;
int bento_rust_init(void);

static bool hold;
module_param(hold, bool, 0444);
MODULE_PARM_DESC(hold, "register only; upgrade mounts through /sys/fs/bentofs/<id>/upgrade (default: upgrade all at once)");

static int __init bento_fs_module_init(void)
{
	u32 flags = 0;
	int err;

	if (hold)
		flags |= BENTO_REGISTER_HOLD;
	if (BENTO_PREFERRED)
		flags |= BENTO_REGISTER_PREFERRED;
	err = bento_rust_init();
	if (err)
		return err;
	return bento_register(&bento_rust_ops, THIS_MODULE, flags);
}

static void __exit bento_fs_module_exit(void)
{
	bento_unregister(&bento_rust_ops);
}

module_init(bento_fs_module_init);
module_exit(bento_fs_module_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Bento file system " BENTO_FS);
MODULE_VERSION(BENTO_VERSION);
MODULE_ALIAS("bento_" BENTO_FS);
#if BENTO_PREFERRED
MODULE_ALIAS("fs-" BENTO_FS);
#endif
