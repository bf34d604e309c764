// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading of bentofs.ko. */
#define pr_fmt(fmt) "bentofs: " fmt

#include "bentofs_i.h"

static int __init bentofs_init(void)
{
	int err;

	bento_cx_secret_init();
	bento_panic_init();
	/* 7.3 warns about a queue that is neither WQ_PERCPU nor WQ_UNBOUND. */
	bento_wq = alloc_workqueue("bentofs", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	bento_mount_wq = alloc_workqueue("bentofs_mount", WQ_UNBOUND, 0);
	err = -ENOMEM;
	if (!bento_wq || !bento_mount_wq)
		goto queues;
	err = bento_inode_cache_init();
	if (err)
		goto queues;
	err = bento_sysfs_init();
	if (err)
		goto cache;
	bento_debugfs_init();
	pr_info("ABI %u\n", BENTO_ABI_VERSION);
	return 0;
cache:
	bento_inode_cache_exit();
queues:
	if (bento_mount_wq)
		destroy_workqueue(bento_mount_wq);
	if (bento_wq)
		destroy_workqueue(bento_wq);
	return err;
}

/* File-system modules use our symbols and mounts hold those: nothing is in use here. */
static void __exit bentofs_exit(void)
{
	/* The last steps of an unmount, after which nothing else is queued. */
	destroy_workqueue(bento_mount_wq);
	bento_debugfs_exit();
	bento_sysfs_exit();
	bento_inode_cache_exit();
	destroy_workqueue(bento_wq);
}

module_init(bentofs_init);
module_exit(bentofs_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Live-replaceable file systems in safe Rust");
