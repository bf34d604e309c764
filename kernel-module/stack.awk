# SPDX-License-Identifier: GPL-2.0-only
# Bounds the stack that the Rust code of a module uses, and refuses recursion.
#
#	objdump -dr --no-show-raw-insn bento_rust.o |
#		awk -v limit=BYTES -v first_limit=BYTES -f stack.awk
#
# @first_limit is for mount() and import_state(), which come before an instance serves: they run
# below mount(2) or an upgrade, never below writeback or a page fault. What runs when the module is
# loaded, and nothing else calls, is not looked at.
#
# A frame is what a function pushes and subtracts from rsp, and its return address. The call graph
# has an edge for each direct call of, or jump to, another function. A call through a pointer goes
#
#   - where the function itself takes addresses of functions (the compiler keeps one in a register
#     that is called often): to all of them;
#   - in core::fmt and what prints by it: to an implementation of Display, Debug or Write. It costs
#     as much as the worst function of core::fmt and of these traits, and they nest three deep (a
#     value in a message, its digits, the buffer);
#   - in the crate log: to the logger, which is one of libbentoks.
#
# Any other function that calls through a pointer is refused. A panic comes on top of the deepest
# chain: core::panicking and the unwinder call each other, for a panic in a panic goes another way,
# so each of their functions counts once. Not covered: C code that the Rust code calls or that
# calls it, and interrupts, which have stacks of their own.

function hex(text,	i, n) {
	n = 0
	for (i = 1; i <= length(text); i++)
		n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n
}

function is_panic(name) {
	return name ~ /4core9panicking|rust_begin_unwind|bento_unwind_r|_Unwind_Resume|slice_error_fail/
}

function is_format(name) {
	return name ~ /3fmt|10panic_info/
}

function is_log(name) {
	return name ~ /3log13___private_api/
}

# What a relocation names: a symbol, or a place in a section. @bias: 4 where it is relative, which
# counts from the end of its four bytes.
function target(text, bias,	at, sign, name) {
	name = text
	if (!match(name, /[+-]0x[0-9a-f]+$/))
		return name
	sign = substr(name, RSTART, 1)
	at = hex(substr(name, RSTART + 3))
	name = substr(name, 1, RSTART - 1)
	if (name ~ /^\./)
		return name "+" (sign == "+" ? bias + at : bias - at)
	return name
}

function remember(kind, to) {
	from_of[++edges] = here
	to_of[edges] = to
	kind_of[edges] = kind
}

function settle() {
	if (resolved != "")
		remember(calls, resolved)
	resolved = ""
}

/^Disassembly of section / {
	section = $4
	sub(/:$/, "", section)
	next
}

/^[0-9a-f]+ <.*>:$/ {
	settle()
	here = substr($2, 2, length($2) - 3)
	where[section "+" hex($1)] = here
	if (!(here in frame)) {
		frame[here] = 8
		functions[++count] = here
	}
	calls = ""
	next
}

/^[ \t]+[0-9a-f]+:[ \t]+R_X86_64_/ {
	resolved = ""
	to = target($3, $2 ~ /PC32|PLT32/ ? 4 : 0)
	if (!calls)
		remember("takes", to)
	else if (to ~ /^__x86_indirect_/)
		pointer[here] = 1
	else if (to != "__x86_return_thunk")
		remember(calls, to)
	next
}

/^[ \t]+[0-9a-f]+:[ \t]/ {
	op = $2
	arg = $3
	if (op == "cs" || op == "bnd" || op == "notrack") {
		op = $3
		arg = $4
	}
	settle()
	calls = op ~ /^call/ ? "calls" : op ~ /^j/ ? "jumps" : ""
	if (calls && arg ~ /^\*/)
		pointer[here] = 1
	# Resolved already, unless a relocation follows.
	if (calls && $NF ~ /^<[^+>]+>$/)
		resolved = substr($NF, 2, length($NF) - 2)
	if (op ~ /^push/)
		frame[here] += 8
	if (op ~ /^sub/ && arg ~ /^\$0x[0-9a-f]+,%rsp$/)
		frame[here] += hex(substr(arg, 4, length(arg) - 8))
	else if (op ~ /^add/ && arg ~ /^\$0xffffffff[0-9a-f]+,%rsp$/)
		frame[here] += 4294967296 - hex(substr(arg, length(arg) - 12, 8))
	else if (op ~ /^sub/ && arg ~ /,%rsp$/)
		refuse(here " takes stack whose size is not known:" $0)
}

function refuse(text) {
	print "stack: " text
	failed = 1
}

function connect(	i, from, to) {
	for (i = 1; i <= edges; i++) {
		from = from_of[i]
		to = to_of[i]
		if (to in where)
			to = where[to]
		if (kind_of[i] == "takes" && (!(from in pointer) || to ~ /^\./))
			continue
		if (kind_of[i] == "takes" && !is_format(from))
			known[from] = 1
		if (!(to in frame) || (from, to) in seen)
			continue
		# A jump to the own start is a loop.
		if (from == to && kind_of[i] != "calls")
			continue
		seen[from, to] = 1
		if (from != to)
			callers[to] = callers[to] " " from
		callees[from] = callees[from] " " to
	}
}

function is_loader(name) {
	return name == "bento_rust_init"
}

function is_first(name) {
	return name ~ /8dispatch5mount(5mount|12import_state)/
}

# Gives @mark to the functions that only those which have it call.
function spread(mark,	i, j, n, list, more, only) {
	do {
		more = 0
		for (i = 1; i <= count; i++) {
			n = split(callers[functions[i]], list, " ")
			if (!n || functions[i] in part)
				continue
			only = 1
			for (j = 1; j <= n && only; j++)
				only = (list[j] in part) && part[list[j]] == mark
			if (only) {
				part[functions[i]] = mark
				more = 1
			}
		}
	} while (more)
}

# Which part of the life of an instance a function belongs to alone.
function divide(	i) {
	for (i = 1; i <= count; i++)
		if (is_loader(functions[i]))
			part[functions[i]] = "loader"
		else if (is_first(functions[i]))
			part[functions[i]] = "first"
	spread("loader")
	spread("first")
}

function refuse_circle(name,	i, on) {
	refuse("these functions call each other in a circle:")
	for (i = 1; i <= levels; i++) {
		on = on || path[i] == name
		if (on)
			print "  " path[i]
	}
	print "  " name
}

# What @name and the deepest of its callees use; with @panicking also for functions of panics.
function depth(name, panicking,	list, n, i, d, best) {
	if (!panicking && name in done)
		return done[name]
	if (name in active) {
		if (!is_panic(name))
			refuse_circle(name)
		return 0
	}
	active[name] = 1
	path[++levels] = name
	deepest[name] = ""
	best = 0
	if (name in pointer && is_format(name)) {
		best = pointers
		deepest[name] = "(an implementation of Display, Debug or Write)"
	}
	n = split(callees[name], list, " ")
	for (i = 1; i <= n; i++) {
		if (!is_panic(list[i]))
			d = depth(list[i], 0)
		else
			d = panicking ? depth(list[i], 1) : panics
		if (d > best) {
			best = d
			deepest[name] = is_panic(list[i]) && !panicking ? "(a panic)" : list[i]
		}
	}
	delete active[name]
	levels--
	d = frame[name] + best
	if (!panicking)
		done[name] = d
	return d
}

function belongs(name, which) {
	if (which == "format")
		return is_format(name)
	if (which == "panic")
		return is_panic(name)
	return !is_panic(name) && part[name] == which
}

# The most that a function uses that belongs to @which; its name is left in @worst_name.
function worst(which,	i, d, most) {
	most = 0
	worst_name = ""
	split("", done)
	for (i = 1; i <= count; i++) {
		if (!belongs(functions[i], which))
			continue
		d = depth(functions[i], which == "panic")
		if (d > most) {
			most = d
			worst_name = functions[i]
		}
	}
	return most
}

function show(name) {
	for (; name != ""; name = deepest[name])
		printf "  %5s  %s\n", (name in frame) ? frame[name] : name ~ /panic/ ? panics : pointers, name
}

END {
	settle()
	if (!count)
		refuse("no function found: is this the output of objdump -dr?")
	connect()
	divide()
	for (i = 1; i <= count; i++)
		if (functions[i] in pointer && !(functions[i] in known) &&
		    !is_format(functions[i]) && !is_log(functions[i]) && !is_panic(functions[i]))
			refuse(functions[i] " calls through a pointer that may lead anywhere")
	pointers = failed ? 0 : 3 * worst("format")
	panics = failed ? 0 : worst("panic")
	judge("an operation", "", limit)
	judge("mount or import_state", "first", first_limit)
	if (verbose)
		printf "stack: a panic takes %d of them, a pointer of core::fmt %d\n", panics, pointers
	exit failed
}

function judge(what, which, allowed,	most) {
	most = worst(which)
	if (most > allowed)
		refuse("the deepest chain of " what " uses " most " bytes, " allowed " are allowed:")
	else if (verbose)
		print "stack: " what " uses " most " bytes at most"
	if (most > allowed || verbose)
		show(worst_name)
}
