/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be seen of a mount at work: trace.c, stats.c, watchdog.c. A part of bentofs_i.h, in
 * the middle of which it is included: leaf calls are known here, files are not yet.
 */
#ifndef _BENTOFS_OBSERVE_H
#define _BENTOFS_OBSERVE_H

/* What a leaf call is asked to do, for the tracepoint op_enter; README.md tells the meaning. */
struct bento_what {
	u64 ino;
	u64 a, b, c;
	const void *name;
	const void *name2;
	u32 name_len;
	u32 name2_len;
};

DECLARE_TRACEPOINT(op_enter);
DECLARE_TRACEPOINT(op_exit);
DECLARE_TRACEPOINT(upgrade_phase);
DECLARE_TRACEPOINT(panic);

void bento_trace_enter(const struct bento_call *call, const struct bento_what *what);
void bento_trace_exit(const struct bento_call *call, int result);
void bento_trace_stamps(const struct bento_mount *bm, const struct bento_stamps *st);
void bento_trace_phase(const struct bento_mount *bm, const char *phase, u64 ns);
void bento_trace_panic(const struct bento_mount *bm, u32 op, const u8 *text, u32 len);
void bento_trace_setattr(const struct bento_call *call, u64 ino, const struct bento_setattr *set);

/* Once in each leaf call, when its node is known: bento_trace(&call, ino, .a = mode, ...). Costs
 * a no-op while nobody traces; then the arguments are not even computed. */
#define bento_trace(call, number, ...)							\
	do {										\
		if (tracepoint_enabled(op_enter))					\
			bento_trace_enter(call, &(const struct bento_what) {		\
					.ino = (number), ##__VA_ARGS__ });		\
	} while (0)
#define BENTO_TRACE_QSTR(q)	.name = (q)->name, .name_len = (q)->len

DECLARE_STATIC_KEY_FALSE(bento_observe_key);
/* The slow sides of bento_enter() and bento_leave() while something is timed or watched. */
void bento_observe_begin(struct bento_call *call);
void bento_observe_end(struct bento_call *call, int ret);
ssize_t bento_ops_show(struct bento_mount *bm, char *buf);
int bento_stats_init(struct bento_mount *bm);
void bento_stats_exit(struct bento_mount *bm);
void bento_debugfs_add(struct bento_mount *bm);
void bento_debugfs_remove(struct bento_mount *bm);
void bento_debugfs_init(void);
void bento_debugfs_exit(void);

void bento_watch_init(struct bento_mount *bm);
void bento_watch_set(struct bento_mount *bm, u32 seconds);
void bento_watch_begin(struct bento_call *call);
void bento_watch_end(struct bento_call *call);
u32 bento_stuck(struct bento_mount *bm);

#endif /* _BENTOFS_OBSERVE_H */
