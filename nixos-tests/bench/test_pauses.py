# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Tables and pictures of pauses say what was measured."""

import struct
import unittest
import zlib

import pauses
import chart


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


class Pictures(unittest.TestCase):
    def pixels(self, png):
        """Rows of (r, g, b), of a PNG that holds one chunk of each kind."""
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", png[16:24])
        at = png.index(b"IDAT")
        (length,) = struct.unpack(">I", png[at - 4 : at])
        self.assertEqual(struct.unpack(">I", png[at + 4 + length :][:4])[0], zlib.crc32(png[at : at + 4 + length]))
        data = zlib.decompress(png[at + 4 : at + 4 + length])
        rows = [data[n * (3 * width + 1) + 1 : (n + 1) * (3 * width + 1)] for n in range(height)]
        return [[tuple(row[x : x + 3]) for x in range(0, len(row), 3)] for row in rows]

    def test_ten_times_the_value_is_one_step_more(self):
        rows = self.pixels(chart.chart("T", [("A", [("with", 100), ("without", 1000), ("pause", 9999)])]))
        # The first bar is one step shorter than the second, which is nearly one shorter than the third.
        body = rows[chart.TOP :]
        length = {name: max(row.count(colour) for row in body) for name, colour in chart.COLOURS.items()}
        self.assertLess(length["with"], 2)
        self.assertAlmostEqual(length["pause"], 2 * length["without"], delta=2)

    def test_every_label_has_letters(self):
        for name in pauses.NAMES:
            self.assertLessEqual(set(name.upper()), set(chart.LETTERS))
        self.assertTrue(pauses.picture(result()))


if __name__ == "__main__":
    unittest.main()
