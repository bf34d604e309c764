# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Figures are kept only where two passes confirm them, and sums of them are right."""

import unittest

import report


def passes(second=1.0):
    """Two passes of four workloads on each file system; the second differs by a factor in one."""
    first = {s: {w: 1000.0 * (i + 1) for w in "abcdefghijk"} for i, s in enumerate(report.FORWARD)}
    again = {s: dict(w) for s, w in first.items()}
    again["xv6"]["a"] *= second
    return [first, again]


class Figures(unittest.TestCase):
    def test_what_two_passes_confirm_is_kept(self):
        costs, unsteady = report.steady(passes(1.029))
        self.assertEqual((costs["xv6"]["a"], unsteady), (4000, []))

    def test_a_line_that_they_do_not_confirm_has_no_figure(self):
        costs, unsteady = report.steady(passes(0.96))
        self.assertNotIn("a", costs["xv6"])
        self.assertEqual(unsteady, ["xv6/a"])

    def test_too_many_such_lines_are_refused(self):
        first, again = passes()
        again["tmpfs"] = {w: cost * 2 for w, cost in again["tmpfs"].items()}
        with self.assertRaisesRegex(report.Refused, "11 of 55 lines"):
            report.steady([first, again])

    def test_what_the_second_pass_leaves_out_counts_once(self):
        first, again = passes(2.0)
        again = {system: again[system] for system in report.CONFIRMED}
        costs, unsteady = report.steady([first, again])
        self.assertEqual((costs["tmpfs"]["a"], unsteady), (1000, ["xv6/a"]))
        with self.assertRaisesRegex(report.Refused, "of 22 lines"):
            again["xv6"] = {w: cost * 2 for w, cost in again["xv6"].items()}
            report.steady([first, again])

    def test_the_summary_names_the_worst(self):
        first, again = passes()
        for each in first, again:
            each["xv6"]["b"] = 8000.0
        summary = report.take({"release": "r", "passes": [first, again]}, {}, "c", "quick")["summary"]
        self.assertEqual((summary["worst_workload"], summary["worst_vs_ext4_ordered"]), ("b", 4.0))
        self.assertAlmostEqual(summary["geomean_vs_ext4_ordered"], 2 * 2 ** (1 / 11), places=3)

    def test_accepted_figures_survive_a_new_run(self):
        result = report.take({"release": "r", "passes": passes()}, {"gate": {"a": 1}}, "c", "quick")
        self.assertEqual(result["gate"], {"a": 1})

    def test_the_table_says_where_there_is_no_figure(self):
        result = report.take({"release": "r", "passes": passes(2.0)}, {}, "c", "quick")
        row = next(line for line in report.table(result).splitlines() if line.startswith("| a "))
        self.assertEqual(row, "| a | 1.00k | 2.00k | 3.00k | unsteady | 5.00k | - | - |")

    def test_the_table_goes_between_the_marks(self):
        result = report.take({"release": "r", "passes": passes()}, {}, "c", "quick")
        text = "before\n<!-- bench: made by ./dev bench -->\nold\n<!-- end of bench -->\nafter\n"
        made = report.between_marks(text, result)
        self.assertEqual(made, text.replace("old", report.table(result)))
        with self.assertRaises(report.Refused):
            report.between_marks("no marks", result)

    def test_large_figures_are_short(self):
        self.assertEqual([report.short(n) for n in (7, 999, 12345, 1234567, 999999999)], ["7", "999", "12.3k", "1.23M", "1000M"])


if __name__ == "__main__":
    unittest.main()
