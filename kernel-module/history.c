// SPDX-License-Identifier: GPL-2.0-only
/* What happened to a mount: its last upgrades, repairs and remounts, for sysfs and tools. */
#define pr_fmt(fmt) "bentofs: " fmt

#include <linux/string.h>
#include <linux/sysfs.h>

#include "bentofs_i.h"

static const char *const bento_event_names[] = {
	[BENTO_EVENT_UPGRADE] = "upgrade",
	[BENTO_EVENT_REPAIR] = "repair",
	[BENTO_EVENT_REMOUNT] = "remount",
	[BENTO_EVENT_CHECK] = "check",
};

void bento_history_add(struct bento_mount *bm, enum bento_event_kind kind,
		       const struct bento_build *from, const struct bento_build *to, int result,
		       u64 pause_ns, const char *text)
{
	struct bento_event *event;

	spin_lock(&bm->error_lock);
	event = &bm->history[bm->events++ % BENTO_HISTORY];
	event->kind = kind;
	event->result = result;
	event->when = ktime_get_real_seconds();
	event->pause_ns = pause_ns;
	strscpy(event->from, bento_build_id(from), sizeof(event->from));
	strscpy(event->to, bento_build_id(to), sizeof(event->to));
	strscpy(event->text, text && *text ? text : "-", sizeof(event->text));
	spin_unlock(&bm->error_lock);
}

/* Oldest first. 16 lines of at most 240 bytes fit in the page that sysfs gives. */
ssize_t bento_history_show(struct bento_mount *bm, char *buf)
{
	ssize_t len = 0;
	u32 i;

	spin_lock(&bm->error_lock);
	for (i = bm->events - min(bm->events, BENTO_HISTORY); i != bm->events; i++) {
		const struct bento_event *event = &bm->history[i % BENTO_HISTORY];

		len += sysfs_emit_at(buf, len, "%lld %s %s %s %d %llu %s\n", event->when,
				     bento_event_names[event->kind], event->from, event->to,
				     event->result, event->pause_ns, event->text);
	}
	spin_unlock(&bm->error_lock);
	return len;
}
