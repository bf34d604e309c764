# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Tables of pauses say what was measured."""

import unittest

import pauses


def seen(longest):
    return {"p50": 4000, "p999": 9000, "longest": longest}


def result():
    stamps = [dict(zip(("pause", *pauses.STEPS), (n * 1000, 1000, 2000, 3000, 4000))) for n in (60, 10, 20)]
    case = {"inodes": 1000, "client": "write", "jobs": 0}
    cases = [case | {"upgrades": [], "seen": seen(30_000)}, case | {"upgrades": stamps, "seen": seen(70_000)}]
    cases.append({"inodes": 0, "client": "fresh", "jobs": 0, "upgrades": stamps})
    return {"release": "6.12", "cases": cases}


class Tables(unittest.TestCase):
    def test_a_row_has_the_baseline_beside_it(self):
        with_base, alone, *_ = pauses.table(result()).splitlines()[2:]
        cells = "1000 | idle | write 4 KiB, stat | 3 | 20 | 60 | 1 + 2 + 3 + 4 | 4 | 9 | 30 | 4 | 9 | 70"
        self.assertEqual(with_base, f"| {cells} |")
        self.assertTrue(alone.endswith("| - | - | - | - | - | - |"), alone)

    def test_a_table_goes_between_the_marks_and_nowhere_else(self):
        marks = "<!-- pauses: made by ./dev bench upgrade -->\n", "<!-- end of pauses -->\n"
        text = pauses.between_marks(f"a\n{marks[0]}old\n{marks[1]}b\n", result())
        self.assertEqual(text, f"a\n{marks[0]}{pauses.table(result())}\n{marks[1]}b\n")
        with self.assertRaises(SystemExit):
            pauses.between_marks("no marks", result())


if __name__ == "__main__":
    unittest.main()
