/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: what each leaf call was asked and what came of it, the phases of upgrades,
 * panics.
 *
 * bentofs:op_enter tells enough to repeat every change of names and attributes elsewhere.
 * What its fields mean for each operation is a table in README.md ("Tracepoints").
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM bentofs

#if !defined(_BENTOFS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _BENTOFS_TRACE_H

#include <linux/tracepoint.h>

#include "bentofs_i.h"

/* Escaped bytes of names in an event, its NUL included; all events fit in a page. */
#define BENTO_TRACE_NAME	1024U
#define BENTO_TRACE_NAME2	2048U
#define BENTO_TRACE_OP		16U

/* Size of @len bytes of @text, escaped and ended by a NUL, at most @max. */
u32 bento_trace_size(const void *text, u32 len, u32 max);
void bento_trace_copy(char *to, u32 size, const void *text, u32 len);

TRACE_EVENT(op_enter,
	TP_PROTO(const struct bento_call *call, const struct bento_what *what),
	TP_ARGS(call, what),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, op, BENTO_TRACE_OP)
		__field(u64, ino)
		__field(u64, a)
		__field(u64, b)
		__field(u64, c)
		__dynamic_array(char, name,
				bento_trace_size(what->name, what->name_len, BENTO_TRACE_NAME))
		__dynamic_array(char, name2,
				bento_trace_size(what->name2, what->name2_len, BENTO_TRACE_NAME2))
	),
	TP_fast_assign(
		__entry->dev = call->bm->sb->s_dev;
		strscpy_pad(__entry->op, bento_op_name(call->cx.op), BENTO_TRACE_OP);
		__entry->ino = what->ino;
		__entry->a = what->a;
		__entry->b = what->b;
		__entry->c = what->c;
		bento_trace_copy(__get_dynamic_array(name), __get_dynamic_array_len(name),
				 what->name, what->name_len);
		bento_trace_copy(__get_dynamic_array(name2), __get_dynamic_array_len(name2),
				 what->name2, what->name2_len);
	),
	TP_printk("%u:%u %s ino=%llu a=%llu b=%llu c=%llu name=%s name2=%s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->op, __entry->ino, __entry->a,
		  __entry->b, __entry->c, __get_str(name), __get_str(name2))
);

TRACE_EVENT(op_exit,
	TP_PROTO(const struct bento_call *call, int result),
	TP_ARGS(call, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, op, BENTO_TRACE_OP)
		__field(int, result)
		__field(u64, made)
	),
	TP_fast_assign(
		__entry->dev = call->bm->sb->s_dev;
		strscpy_pad(__entry->op, bento_op_name(call->cx.op), BENTO_TRACE_OP);
		__entry->result = result;
		__entry->made = result < 0 ? 0 : call->made;
	),
	TP_printk("%u:%u %s result=%d made=%llu", MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->op, __entry->result, __entry->made)
);

TRACE_EVENT(upgrade_phase,
	TP_PROTO(const struct bento_mount *bm, const char *phase, u64 ns),
	TP_ARGS(bm, phase, ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, phase, BENTO_TRACE_OP)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->dev = bm->sb->s_dev;
		strscpy_pad(__entry->phase, phase, BENTO_TRACE_OP);
		__entry->ns = ns;
	),
	TP_printk("%u:%u %s ns=%llu", MAJOR(__entry->dev), MINOR(__entry->dev), __entry->phase,
		  __entry->ns)
);

TRACE_EVENT(panic,
	TP_PROTO(const struct bento_mount *bm, const char *op, const void *text, u32 len),
	TP_ARGS(bm, op, text, len),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, op, BENTO_TRACE_OP)
		__dynamic_array(char, text, bento_trace_size(text, len, BENTO_TRACE_NAME))
	),
	TP_fast_assign(
		__entry->dev = bm->sb->s_dev;
		strscpy_pad(__entry->op, op, BENTO_TRACE_OP);
		bento_trace_copy(__get_dynamic_array(text), __get_dynamic_array_len(text), text,
				 len);
	),
	TP_printk("%u:%u %s text=%s", MAJOR(__entry->dev), MINOR(__entry->dev), __entry->op,
		  __get_str(text))
);

#endif /* _BENTOFS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
