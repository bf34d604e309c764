# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the guest's kernel says on the serial line, and which of it no test may cause."""

import re
import sys
import threading
import time

# A line that matches means that the kernel found itself broken.
BAD_LINE = re.compile(
    r"""
      \bWARNING:\ | \bBUG:\ | \bkernel\ BUG\ at\b | \bOops\b | \bCall\ Trace: | \bKASAN: | \bUBSAN:
    | -{12}\[\ cut\ here\ \]-{12}
    | blocked\ for\ more\ than\ \d+\ seconds | \bsoft\ lockup\b | self-detected\ stall
    | detected\ stalls\ on | general\ protection\ fault | Kernel\ panic | unable\ to\ handle
    | list_(add|del)\ corruption | refcount_t: | Objects\ remaining\ in | Busy\ inodes\ after
    | kmemleak:\ \d+\ new\ suspected | ODEBUG: | \bVFS:\ brelse | scheduling\ while\ atomic | sleeping\ function\ called
    """,
    re.VERBOSE,
)


def bad_lines(lines, allowed=()):
    """Those of LINES that tell of a defect and match none of the patterns ALLOWED."""
    patterns = [re.compile(pattern) for pattern in allowed]
    return [
        line
        for line in lines
        if BAD_LINE.search(line) and not any(pattern.search(line) for pattern in patterns)
    ]


class Console:
    """Collects the lines of one serial line from a thread of its own."""

    def __init__(self, name, stream, quiet=False):
        self.lines = []
        self.closed = False
        self._name = name
        self._stream = stream
        self._quiet = quiet
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self):
        with self._stream:
            for raw in self._stream:
                self._take(raw)
        with self._news:
            self.closed = True
            self._news.notify_all()

    def _take(self, raw):
        # Terminal control sequences come from the firmware.
        text = re.sub(r"\x1b(\[[0-9;?=]*[A-Za-z]|c)", "", raw.decode(errors="replace")).rstrip()
        if not text:
            return
        with self._news:
            self.lines.append(text)
            self._news.notify_all()
        if not self._quiet:
            print(f"{self._name} # {text}", file=sys.stderr, flush=True)

    def wait_for(self, pattern, timeout, start=0):
        """Wait until the text since line START matches; False after TIMEOUT seconds or at the end.

        TIMEOUT None waits for as long as the machine lives.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._news:
            while not re.search(pattern, "\n".join(self.lines[start:])):
                left = None if deadline is None else deadline - time.monotonic()
                if self.closed or (left is not None and left <= 0):
                    return False
                self._news.wait(left)
        return True

    def finish(self):
        """Wait for the last lines of a machine that has ended."""
        self._thread.join(timeout=10)
