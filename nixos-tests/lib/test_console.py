# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What counts as a complaint of the kernel, and how the console is read."""

import os
import unittest

from console import Console, bad_lines

# Lines as the kernels print them.
BAD = [
    "[   12.345678] WARNING: CPU: 1 PID: 321 at fs/iomap/buffered-io.c:1234 foo+0x1/0x2 [bentofs]",
    "[   12.345678] ------------[ cut here ]------------",
    "[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "[    3.1] kernel BUG at mm/slub.c:448!",
    "[    3.1] Oops: 0000 [#1] PREEMPT SMP NOPTI",
    "[    3.1] Oops: int3: 0000 [#1] SMP NOPTI",
    "[    3.1] Call Trace:",
    "[    3.1] INFO: task umount:812 blocked for more than 120 seconds.",
    "[    3.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
    "[    3.1] general protection fault, probably for non-canonical address 0xdead",
    "[    3.1] Kernel panic - not syncing: Fatal exception",
    "[    3.1] BUG bento_inode (Tainted: G): Objects remaining in bento_inode on shutdown",
    "[    3.1] BUG: sleeping function called from invalid context at mm/page_alloc.c:1",
    "[    3.1] refcount_t: underflow; use-after-free.",
    "[    3.1] VFS: Busy inodes after unmount of vdc (xv6)",
]
GOOD = [
    "[    0.739660] mtrr: your CPUs had inconsistent fixed MTRR settings",
    "[    3.104969] hello: loading out-of-tree module taints kernel.",
    "[    3.105770] hello: module verification failed: signature and/or required key missing",
    "[    9.0] bentofs: vdc: xv6 0.1.0 panicked in create; the mount has failed",
    "machine: warning: setlocale: LC_ALL: cannot change locale",
    "[    9.0] debugging enabled, OopsLogger not installed",
]


class BadLines(unittest.TestCase):
    def test_each_complaint_is_found(self):
        for line in BAD:
            self.assertEqual(bad_lines([line]), [line])

    def test_ordinary_lines_pass(self):
        self.assertEqual(bad_lines(GOOD), [])

    def test_what_a_scenario_allows_passes_and_nothing_else(self):
        allowed = [r"BUG: kernel NULL pointer"]
        self.assertEqual(bad_lines(BAD, allowed), [line for line in BAD if "NULL" not in line])


class Reading(unittest.TestCase):
    def console(self, data):
        reader, writer = os.pipe()
        os.write(writer, data)
        console = Console("test", os.fdopen(reader, "rb"), quiet=True)
        return console, writer

    def test_lines_lose_escapes_and_line_ends(self):
        console, writer = self.console(b"\x1b[2J\x1b[0mfirst\r\n\r\nsecond\n")
        os.close(writer)
        console.finish()
        self.assertEqual(console.lines, ["first", "second"])

    def test_waiting_finds_a_text_and_starts_where_told(self):
        console, writer = self.console(b"alpha\nbeta\n")
        self.assertTrue(console.wait_for("be.a", timeout=10))
        self.assertFalse(console.wait_for("alpha", timeout=0.05, start=1))
        os.close(writer)
        # The end of the machine ends a wait without a limit.
        self.assertFalse(console.wait_for("gamma", timeout=None))


if __name__ == "__main__":
    unittest.main()
