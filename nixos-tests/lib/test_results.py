# SPDX-License-Identifier: GPL-2.0-only OR MIT
import json
import pathlib
import tempfile
import unittest

import results


def scenario(**subtests):
    passed = sum(result == "passed" for result in subtests.values())
    return {
        "scenario": "s",
        "seconds": 1.5,
        "passed": passed,
        "failed": len(subtests) - passed,
        "skipped": 0,
        "subtests": subtests,
    }


class Results(unittest.TestCase):
    def test_a_check_without_its_path_has_failed(self):
        with tempfile.TemporaryDirectory() as folder:
            there = pathlib.Path(folder)
            (there / "result.json").write_text(json.dumps(scenario(one="passed")))
            self.assertEqual(results.read(there)["passed"], 1)
            self.assertIsNone(results.read(there / "missing"))
        lines, good = results.totals({"x-linux_6_1": None, "plain": {"passed": 1}}, 0)
        self.assertFalse(good)
        self.assertIn("  x-linux_6_1: FAILED", lines)
        self.assertEqual(lines[-1], "VM scenarios: 1 passed, 1 failed, 0 skipped")

    def test_totals_add_up(self):
        found = {"x-linux_6_1": scenario(a="passed", b="passed"), "y-linux_6_1": scenario(a="passed")}
        lines, good = results.totals(found, 4)
        self.assertTrue(good)
        self.assertEqual(lines[-1], "VM scenarios: 3 passed, 0 failed, 4 skipped")

    def test_the_table_has_a_column_for_each_kernel_in_order(self):
        found = {
            "x-linux_6_12": scenario(a="passed"),
            "x-linux_6_1": scenario(a="failed"),
            "w-linux_6_12": scenario(**{"b|c": "passed"}),
            "w-linux_debug": scenario(**{"b|c": "passed"}),
            "bindings": {"passed": 1},
        }
        self.assertEqual(
            results.table(found),
            [
                "| scenario | what was tried | 6.1 | 6.12 | debug |",
                "|---|---|---|---|---|",
                "| `w` | b/c | not run | passed | passed |",
                "| `x` | a | failed | passed | not run |",
            ],
        )

    def test_support_has_a_column_for_fuse(self):
        tried = {"holes: kernel": "passed", "holes: FUSE": "passed", "a: b: kernel": "failed", "a: b: FUSE refuses": "passed"}
        kernels = ("debug", "6_12", "6_1")
        lines = results.support({f"support-linux_{kernel}": scenario(**tried) for kernel in kernels})
        self.assertEqual(lines[0], "| feature | 6.1 | 6.12 | debug | FUSE |")
        self.assertEqual(lines[2:], ["| holes | yes | yes | yes | yes |", "| a: b | failed | failed | failed | no |"])
        old = f"head\n{results.BEGIN}\nold\n{results.END}\ntail\n"
        new = results.replaced(old, ["new"])
        self.assertEqual(new, f"head\n{results.BEGIN}\nnew\n{results.END}\ntail\n")


if __name__ == "__main__":
    unittest.main()
