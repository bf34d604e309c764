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
        with self.assertRaisesRegex(report.Refused, "11 of 77 lines"):
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
        self.assertEqual(row, "| a | 1.00k | 2.00k | 3.00k | unsteady | 5.00k | 6.00k | 7.00k | - | - | - |")
        row = next(line for line in report.table(result).splitlines() if line.startswith("| b "))
        self.assertEqual(row, "| b | 1.00k | 2.00k | 3.00k | 4.00k | 5.00k | 6.00k | 7.00k | 2.00 | 1.25 | 1.50 |")

    def test_our_file_systems_can_be_measured_again_alone(self):
        old = report.take({"release": "r", "passes": passes()}, {"gate": {"a": 1}}, "c", "quick")
        first, again = passes()
        ours = [{system: {w: 500.0 for w in first[system]} for system in order} for order in report.renew(old)["passes"]]
        new = report.renewed({"release": "r", "passes": ours}, old, "d")
        self.assertEqual((new["cost"]["xv6"]["a"], new["cost"]["ext4-ordered"]["a"]), (500, 2000))
        self.assertEqual((new["commit"], new["ours"], new["gate"]), ("c", "d", {"a": 1}))
        self.assertLess(new["summary"]["geomean_vs_ext4_ordered"], 0.5)
        with self.assertRaisesRegex(report.Refused, "measure all"):
            report.renewed({"release": "s", "passes": ours}, old, "d")

    def test_growth_is_kept_and_shown_for_each_file_system(self):
        lines = {"grow_create_1k": 1000.4, "grow_create_100k": 1500.0, "grow_unlink_1k": 10.0, "grow_unlink_100k": 30.0}
        grown = report.growth({"passes": [{"ext4-ordered": lines, "xv6": {w: 2 * c for w, c in lines.items()}}]})
        result = report.take({"release": "r", "passes": passes()}, {"growth": grown}, "c", "quick")
        self.assertIn("| create | xv6 | 2.00k | 3.00k | 1.50 |", report.table(result).splitlines())
        self.assertIn("| unlink | ext4-ordered | 10 | 30 | 3.00 |", report.table(result).splitlines())
        self.assertNotIn("Growth", report.table(result | {"growth": {}}))

    def test_what_size_costs_is_shown_beside_ext4(self):
        scale = {system: {name: cost * 1000 for name in report.SCALE} for system, cost in (("ext4-ordered", 1), ("xv6", 2))}
        result = report.take({"release": "r", "passes": passes()}, {"scale": scale}, "c", "quick")
        made = report.table(result).splitlines()
        self.assertIn("| what size costs | ext4-ordered | xv6 | xv6 / ext4 |", made)
        self.assertIn("| memory for each inode after stat, bytes | 1.00k | 2.00k | 2.00 |", made)
        self.assertNotIn("what size costs", report.table(result | {"scale": {}}))

    def test_files_and_directories_grow_apart(self):
        lines = {"grow_create_1k": 1.0, "grow_create_100k": 1.0, "grow_read_1m": 1.0, "grow_read_1g": 2.0, "grow_read_8g": 3.0}
        grown = report.growth({"passes": [{"xv6": lines}]})
        sizes = {operation: sizes for operation, sizes, _ in report.growing(grown)}
        self.assertEqual(sizes, {"create": ["1k", "100k"], "read": ["1m", "1g", "8g"]})
        made = report.growth_lines({"growth": grown})
        self.assertIn("| operation | file system | 1m | 1g | 8g | last / first |", made)
        self.assertIn("| read | xv6 | 1 | 2 | 3 | 3.00 |", made)

    def test_the_table_goes_between_the_marks(self):
        result = report.take({"release": "r", "passes": passes()}, {}, "c", "quick")
        text = "before\n<!-- bench: made by ./dev bench -->\nold\n<!-- end of bench -->\nafter\n"
        made = report.between_marks(text, result)
        self.assertEqual(made, text.replace("old", report.table(result)))
        other = report.take({"release": "7.3.4", "passes": passes()}, {}, "c", "quick")
        made = report.between_marks(text, result, [other])
        self.assertTrue(made.endswith("\n\n" + report.sentence(other) + "\n<!-- end of bench -->\nafter\n"), made)
        self.assertIn("Linux 7.3.4, size quick: 11 workloads", made)
        with self.assertRaises(report.Refused):
            report.between_marks("no marks", result)

    def test_large_figures_are_short(self):
        self.assertEqual([report.short(n) for n in (7, 999, 12345, 1234567, 999999999)], ["7", "999", "12.3k", "1.23M", "1000M"])


if __name__ == "__main__":
    unittest.main()
