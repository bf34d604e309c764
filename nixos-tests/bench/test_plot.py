# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The page holds each picture and table once, and pictures get what was measured."""

import base64
import unittest
import xml.etree.ElementTree

import plot
import report
import test_pauses
import test_report


class Pen:
    """Notes what is to be drawn, for this may run where there is no matplotlib."""

    def __init__(self):
        self.drawn = {}

    def __getattr__(self, kind):
        def draw(*data):
            self.drawn.setdefault(kind, []).append(data)
            return f"{kind} {len(self.drawn[kind])}".encode()

        return draw


def results():
    lines = {"grow_create_1k": 10.0, "grow_create_100k": 15.0}
    old = {"growth": report.growth({"passes": [{"ext4-ordered": lines, "xv6": lines}]})}
    passes = test_report.passes()
    passes[0]["xv6"]["b"] = passes[1]["xv6"]["b"] = 80000.0
    return [("6.12", report.take({"release": "r", "passes": passes}, old, "c", "quick"))]


class Page(unittest.TestCase):
    def setUp(self):
        self.pen = Pen()
        self.page = plot.page(results(), [("6.12", test_pauses.result())], self.pen)

    def test_it_is_one_file_with_all_pictures(self):
        parsed = xml.etree.ElementTree.fromstring(self.page.partition("\n")[2].replace('<meta charset="utf-8">', ""))
        sources = [image.get("src").removeprefix("data:image/png;base64,") for image in parsed.iter("img")]
        self.assertEqual([base64.b64decode(s) for s in sources], [b"dots 1", b"dots 2", b"curves 1", b"histogram 1"])
        self.assertNotIn("http", self.page)

    def test_the_dearest_workload_comes_first(self):
        (rows, lines, _), (fuse, _, _) = self.pen.drawn["dots"]
        self.assertEqual(next(iter(rows["Linux 6.12"].items())), ("b", 40.0))
        self.assertEqual([ratio for ratio, _ in lines], [1, 1.25])
        self.assertEqual(list(fuse), ["xv6 by FUSE, 6.12", "bindfs over ext4, 6.12"])

    def test_what_one_kernel_lacks_another_shows(self):
        ordered = plot.in_order({"6.1": {"a": 1.0, "b": 3.0}, "6.12": {"c": 9.0, "b": 2.0, "a": 4.0}})
        self.assertEqual([list(ordered["6.1"]), list(ordered["6.12"])], [["b", "a"], ["b", "a", "c"]])

    def test_curves_and_pauses_are_those_that_were_measured(self):
        ((panels, _),) = self.pen.drawn["curves"]
        self.assertEqual(panels, [("create", ["1k", "100k"], {"ext4-ordered": [10, 15], "xv6": [10, 15]})])
        ((groups, title, _),) = self.pen.drawn["histogram"]
        self.assertEqual(groups["write 4 KiB, stat, idle, 1000 inodes"], [60_000, 10_000, 20_000])
        self.assertIn("Pauses of 6 upgrades", title)

    def test_tables_keep_their_rows_and_text(self):
        made = plot.table("| a | b |\n|---|--:|\n| 1 | 2 |\n\nAfter <it>.")
        expected = "<table><tr><th>a</th><th>b</th></tr>\n<tr><td>1</td><td>2</td></tr></table>\n<p>After &lt;it&gt;.</p>"
        self.assertEqual(made, expected)


if __name__ == "__main__":
    unittest.main()
