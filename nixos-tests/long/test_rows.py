# SPDX-License-Identifier: GPL-2.0-only OR MIT
import unittest

import rows

CHECKS = {name: {} for name in ("x-linux_6_1", "x-linux_6_12", "x-long-linux_6_12", "y-linux_debug")}
GOOD = {"scenario": "x", "seconds": 1.6, "passed": 3, "failed": 0, "skipped": 0, "subtests": {}}


class Rows(unittest.TestCase):
    def test_a_name_means_a_check_or_that_of_every_kernel(self):
        self.assertEqual(rows.chosen(CHECKS, []), (sorted(CHECKS), []))
        self.assertEqual(rows.chosen(CHECKS, ["x"]), (["x-linux_6_1", "x-linux_6_12"], []))
        self.assertEqual(rows.chosen(CHECKS, ["x-linux_6_1", "y"]), (["x-linux_6_1", "y-linux_debug"], []))
        self.assertEqual(rows.chosen(CHECKS, ["x-l", "y"]), (["y-linux_debug"], ["x-l"]))

    def test_a_row_says_what_was_found_where(self):
        self.assertEqual(
            rows.row("x-long-linux_6_12", GOOD, "fsx: 9 operations, seed 4: same\n", "abc", "day"),
            ["`x-long`", "6.12", "passed", "3", "2", "abc", "day", "fsx: 9 operations, seed 4: same"],
        )
        bad = rows.row("x-linux_6_1", GOOD | {"failed": 1, "passed": 2}, "", "abc", "day")
        self.assertEqual(bad, ["`x`", "6.1", "FAILED", "2", "2", "abc", "day", ""])

    def test_without_a_whole_result_a_check_has_failed(self):
        for result in (None, {"passed": 1, "failed": 0, "skipped": 0}):
            self.assertEqual(rows.row("y-linux_debug", result, "", "abc", "day")[2:5], ["FAILED", "-", "-"])

    def test_counts_are_those_of_the_scenario(self):
        text = "\n".join(
            [
                "driver: machine: must succeed: fsx: no",
                "machine # fsstress: 723 operations, 0 wrong",
                "writer: powercut: 5 promises: 0 wrong",
                "powercut: writing",
                "powercut: 5 promises: 0 wrong",
                "powercut: 7 promises on 3 files: 0 wrong",
                "damaged disks: {'mounted': 3 | 4}",
                "damaged disks: {'mounted': 3 | 4}",
                "other: fsstress: chmod 81",
            ]
        )
        self.assertEqual(
            rows.counted(text),
            "fsstress: 723 operations, 0 wrong; powercut: writing; damaged disks: {'mounted': 3 | 4}; "
            "powercut: 10 promises: 0 wrong (2 times); powercut: 7 promises on 3 files: 0 wrong",
        )

    def test_a_partial_run_replaces_its_own_rows_alone(self):
        first = rows.merged("", CHECKS, [rows.row(name, GOOD, "powercut: a|b", "old", "day") for name in CHECKS])
        self.assertEqual(len(rows.rows_of(first)), 4)
        second = rows.merged(first, CHECKS, [rows.row("x-linux_6_12", None, "", "new", "day")])
        changed = [line for line in second.splitlines() if line not in first.splitlines()]
        self.assertEqual(changed, ["| `x` | 6.12 | FAILED | - | - | new | day |  |"])
        self.assertIn("| `x-long` | 6.12 | passed | 3 | 2 | old | day | powercut: a/b |\n", second)
        self.assertEqual(rows.merged(second, CHECKS, []), second)

    def test_what_was_never_run_has_a_row_and_what_is_gone_has_none(self):
        page = rows.merged("", CHECKS, [rows.row("y-linux_debug", GOOD, "", "old", "day")])
        self.assertIn("| `x` | 6.1 | not run | - | - | - | - |  |\n", page)
        self.assertNotIn("`y`", rows.merged(page, {"x-linux_6_1": {}}, []))


if __name__ == "__main__":
    unittest.main()
