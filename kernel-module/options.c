// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mount options of bentofs itself; all others are the business of the file system.
 * README.md describes them.
 */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/seq_file.h>
#include <linux/string_helpers.h>

#include "bentofs_i.h"

/* Seconds between two commits: what mount gives it, and what is allowed. */
#define BENTO_COMMIT_DEFAULT	5
#define BENTO_COMMIT_MAX	900
/* An hour, in ms and in seconds. */
#define BENTO_FAILED_WAIT_MAX	3600000
#define BENTO_WATCHDOG_MAX	3600

enum {
	BENTO_OPT_PANIC, BENTO_OPT_ERRORS, BENTO_OPT_COMMIT, BENTO_OPT_BARRIER,
	BENTO_OPT_NORECOVERY, BENTO_OPT_DISCARD, BENTO_OPT_FAILED_WAIT, BENTO_OPT_WATCHDOG,
};

static const struct constant_table bento_panic_words[] = {
	{ "fail", false },
	{ "oops", true },
	{ }
};

static const struct constant_table bento_errors_words[] = {
	{ "continue", BENTO_ERRORS_CONTINUE },
	{ "remount-ro", BENTO_ERRORS_RO },
	{ "panic", BENTO_ERRORS_PANIC },
	{ }
};

static const struct fs_parameter_spec bento_parameters[] = {
	fsparam_enum("panic", BENTO_OPT_PANIC, bento_panic_words),
	fsparam_enum("errors", BENTO_OPT_ERRORS, bento_errors_words),
	fsparam_u32("commit", BENTO_OPT_COMMIT),
	fsparam_flag_no("barrier", BENTO_OPT_BARRIER),
	fsparam_flag("norecovery", BENTO_OPT_NORECOVERY),
	fsparam_flag_no("discard", BENTO_OPT_DISCARD),
	fsparam_u32("failed_wait", BENTO_OPT_FAILED_WAIT),
	fsparam_u32("watchdog", BENTO_OPT_WATCHDOG),
	{ }
};

void bento_options_init(struct bento_options *opt)
{
	*opt = (struct bento_options) { .commit_s = BENTO_COMMIT_DEFAULT };
}

int bento_options_parse(struct fs_context *fc, struct fs_parameter *param,
			struct bento_options *opt)
{
	struct fs_parse_result result;
	int which = fs_parse(fc, bento_parameters, param, &result);

	if (which < 0)
		return which;
	opt->given |= 1U << which;
	switch (which) {
	case BENTO_OPT_PANIC:
		opt->oops_on_panic = result.uint_32;
		break;
	case BENTO_OPT_ERRORS:
		opt->errors = result.uint_32;
		break;
	case BENTO_OPT_COMMIT:
		if (!result.uint_32 || result.uint_32 > BENTO_COMMIT_MAX)
			return invalf(fc, "option commit=%u: must be 1 to %u seconds",
				      result.uint_32, BENTO_COMMIT_MAX);
		opt->commit_s = result.uint_32;
		break;
	case BENTO_OPT_BARRIER:
		opt->nobarrier = result.negated;
		break;
	case BENTO_OPT_NORECOVERY:
		opt->norecovery = true;
		break;
	case BENTO_OPT_DISCARD:
		opt->discard = !result.negated;
		break;
	case BENTO_OPT_FAILED_WAIT:
		if (result.uint_32 > BENTO_FAILED_WAIT_MAX)
			return invalf(fc, "option failed_wait=%u: must be 0 to %u milliseconds",
				      result.uint_32, BENTO_FAILED_WAIT_MAX);
		opt->failed_wait_ms = result.uint_32;
		break;
	case BENTO_OPT_WATCHDOG:
		if (result.uint_32 > BENTO_WATCHDOG_MAX)
			return invalf(fc, "option watchdog=%u: must be 0 to %u seconds",
				      result.uint_32, BENTO_WATCHDOG_MAX);
		opt->watchdog_s = result.uint_32;
		break;
	}
	return 0;
}

/* For a new mount. */
int bento_options_check(struct fs_context *fc, const struct bento_options *opt, bool rdonly)
{
	if (opt->norecovery && !rdonly)
		return invalf(fc, "option norecovery: only for a read-only mount, add ro");
	return 0;
}

/* For a remount: what the instance was told when it was mounted stays. */
int bento_options_check_remount(struct fs_context *fc, const struct bento_options *opt,
				const struct bento_options *new, bool rdonly)
{
	if (new->given & (1U << BENTO_OPT_NORECOVERY) && !opt->norecovery)
		return invalf(fc, "option norecovery cannot be set by a remount");
	if (new->given & (1U << BENTO_OPT_DISCARD) && opt->discard != new->discard)
		return invalf(fc, "option discard cannot be changed by a remount");
	if (opt->norecovery && !rdonly)
		return invalf(fc, "mounted with norecovery: unmount, and mount it without");
	return 0;
}

/* What the file system has to know when it is mounted. */
u32 bento_mount_flags(const struct bento_mount *bm, bool rdonly)
{
	u32 flags = 0;

	if (rdonly)
		flags |= BENTO_MOUNT_RDONLY;
	if (rdonly && bm->opt.norecovery)
		flags |= BENTO_MOUNT_NORECOVERY;
	if (bm->opt.discard)
		flags |= BENTO_MOUNT_DISCARD;
	return flags;
}

/* Readers take no lock: each option is a word of its own. */
void bento_options_remount(struct bento_mount *bm, const struct bento_options *new)
{
	struct bento_options *opt = &bm->opt;

	if (new->given & (1U << BENTO_OPT_PANIC))
		WRITE_ONCE(opt->oops_on_panic, new->oops_on_panic);
	if (new->given & (1U << BENTO_OPT_ERRORS))
		WRITE_ONCE(opt->errors, new->errors);
	if (new->given & (1U << BENTO_OPT_COMMIT))
		WRITE_ONCE(opt->commit_s, new->commit_s);
	if (new->given & (1U << BENTO_OPT_BARRIER))
		WRITE_ONCE(opt->nobarrier, new->nobarrier);
	if (new->given & (1U << BENTO_OPT_FAILED_WAIT))
		WRITE_ONCE(opt->failed_wait_ms, new->failed_wait_ms);
	if (new->given & (1U << BENTO_OPT_WATCHDOG))
		bento_watch_set(bm, new->watchdog_s);
}

/* For /proc/mounts: what differs from the defaults. */
int bento_show_options(struct seq_file *m, struct dentry *root)
{
	const struct bento_mount *bm = BENTO_M(root->d_sb);
	const struct bento_options *opt = &bm->opt;

	if (opt->oops_on_panic)
		seq_puts(m, ",panic=oops");
	if (opt->errors != BENTO_ERRORS_CONTINUE)
		seq_printf(m, ",errors=%s",
			   opt->errors == BENTO_ERRORS_RO ? "remount-ro" : "panic");
	if (opt->commit_s != BENTO_COMMIT_DEFAULT)
		seq_printf(m, ",commit=%u", opt->commit_s);
	if (opt->nobarrier)
		seq_puts(m, ",nobarrier");
	if (opt->norecovery)
		seq_puts(m, ",norecovery");
	if (opt->discard)
		seq_puts(m, ",discard");
	if (opt->failed_wait_ms)
		seq_printf(m, ",failed_wait=%u", opt->failed_wait_ms);
	if (opt->watchdog_s)
		seq_printf(m, ",watchdog=%u", opt->watchdog_s);
	if (*bm->options) {
		seq_putc(m, ',');
		seq_escape(m, bm->options, " \t\n\\");
	}
	return 0;
}
