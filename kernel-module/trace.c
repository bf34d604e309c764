// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints of trace.h, and how names are written into them. */
#define pr_fmt(fmt) "bentofs: " fmt

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * A name may hold any byte but NUL and '/'. What would end a word or a line is written as a
 * backslash and three octal digits, as in /proc/mounts, so that an event stays one line whose
 * words nobody can forge.
 */
static bool bento_trace_plain(u8 c)
{
	return c > ' ' && c < 0x7f && c != '\\' && c != '"';
}

u32 bento_trace_size(const void *text, u32 len, u32 max)
{
	const u8 *p = text;
	u32 size = 1, i;

	for (i = 0; i < len; i++) {
		u32 n = bento_trace_plain(p[i]) ? 1 : 4;

		if (size + n > max)
			break;
		size += n;
	}
	return size;
}

void bento_trace_copy(char *to, u32 size, const void *text, u32 len)
{
	char *end = to + size - 1;
	const u8 *p = text;
	u32 i;

	for (i = 0; i < len && to < end; i++) {
		if (bento_trace_plain(p[i])) {
			*to++ = p[i];
			continue;
		}
		if (end - to < 4)
			break;
		*to++ = '\\';
		*to++ = '0' + (p[i] >> 6);
		*to++ = '0' + ((p[i] >> 3) & 7);
		*to++ = '0' + (p[i] & 7);
	}
	*to = '\0';
}

void bento_trace_enter(const struct bento_call *call, const struct bento_what *what)
{
	trace_op_enter(call, what);
}

void bento_trace_exit(const struct bento_call *call, int result)
{
	trace_op_exit(call, result);
}

void bento_trace_phase(const struct bento_mount *bm, const char *phase, u64 ns)
{
	trace_upgrade_phase(bm, phase, ns);
}

/* After an upgrade, so that tracing does not lengthen its pause. */
void bento_trace_stamps(const struct bento_mount *bm, const struct bento_stamps *st)
{
	trace_upgrade_phase(bm, "drain", st->drained - st->kill);
	trace_upgrade_phase(bm, "export", st->exported - st->drained);
	trace_upgrade_phase(bm, "import", st->imported - st->exported);
	trace_upgrade_phase(bm, "wake", st->woken - st->imported);
}

void bento_trace_panic(const struct bento_mount *bm, u32 op, const u8 *text, u32 len)
{
	trace_panic(bm, bento_op_name(op), text, len);
}

/* The times as "atime,mtime,ctime" in seconds and ns, "-" where one stays as it is. */
void bento_trace_setattr(const struct bento_call *call, u64 ino, const struct bento_setattr *set)
{
	const struct bento_time *times[] = { &set->atime, &set->mtime, &set->ctime };
	static const u32 bits[] = { BENTO_SET_ATIME, BENTO_SET_MTIME, BENTO_SET_CTIME };
	struct bento_what what = {
		.ino = ino,
		.a = set->mask | (u64)set->mode << 32,
		.b = set->uid | (u64)set->gid << 32,
		.c = set->mask & BENTO_SET_FLAGS ? set->flags : set->size,
	};
	char text[3 * 33];
	u32 i, n = 0;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		if (set->mask & bits[i])
			n += scnprintf(text + n, sizeof(text) - n, "%s%lld.%09u", i ? "," : "",
				       times[i]->sec, times[i]->nsec);
		else
			n += scnprintf(text + n, sizeof(text) - n, "%s-", i ? "," : "");
	}
	what.name = text;
	what.name_len = n;
	trace_op_enter(call, &what);
}
