# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Tables that a command writes into a page, between two marks which stay."""


def fill(text, name, command, table):
    """TEXT with TABLE between the marks of NAME, or None where TEXT has no such marks."""
    head, begin, rest = text.partition(f"<!-- {name}: made by {command} -->\n")
    _, end, tail = rest.partition(f"<!-- end of {name} -->\n")
    return f"{head}{begin}{table}\n{end}{tail}" if begin and end else None
