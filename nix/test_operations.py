#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Checks nixos-tests/OPERATIONS.md: each test that it names exists, and each operation of a file
system has a row.
"""

import ast
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "nixos-tests"
PAGE = SCENARIOS / "OPERATIONS.md"
TRAIT = ROOT / "rust/bento/src/fs.rs"


def subtests(text):
    """The names of a scenario's subtests, with ... for what an f-string fills in."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "subtest":
            name = node.args[0]
            parts = name.values if isinstance(name, ast.JoinedStr) else [name]
            found.add("".join(p.value if isinstance(p, ast.Constant) else "..." for p in parts))
    return found


def host_tests():
    """The names of all tests in rust/: of functions, and of those that proptest's macro makes."""
    found = set()
    for file in (ROOT / "rust").glob("*/**/*.rs"):
        found |= set(re.findall(r"#\[test\]\n(?:\s*#\[.*\n)*\s*fn (\w+)", file.read_text()))
    return found


def faults(cell, scenarios, tests):
    """What is wrong with a cell that names tests, as texts."""
    found, scenario = [], None
    named = re.findall(r'`([^`]+)`(:)?|"([^"]+)"', cell)
    if not named:
        return ["names no test"]
    for name, colon, subtest in named:
        if colon:
            scenario = name
            if scenario not in scenarios:
                found.append(f"no scenario {scenario}")
        elif name:
            if name not in tests:
                found.append(f"no test {name}")
        elif subtest not in scenarios.get(scenario, ()):
            found.append(f"{scenario} has no subtest {subtest}")
    return found


def rows(text):
    """The cells of each row of the page's tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[-1] != "checked by"]


class Operations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scenarios = {file.stem: subtests(file.read_text()) for file in SCENARIOS.glob("*.py")}
        cls.tests = host_tests()

    def test_every_row_names_tests_that_exist(self):
        found = rows(PAGE.read_text())
        self.assertGreater(len(found), 60)
        for row in found:
            with self.subTest(row=row[:2]):
                self.assertEqual(len(row), 3)
                self.assertEqual(faults(row[2], self.scenarios, self.tests), [])

    def test_every_operation_has_a_row(self):
        operations = re.findall(r"^    fn (\w+)", TRAIT.read_text(), re.MULTILINE)
        self.assertGreater(len(operations), 30)
        named = {name for row in rows(PAGE.read_text()) for name in re.findall(r"`(\w+)`", row[0])}
        self.assertEqual([name for name in operations if name not in named], [])

    def test_names_that_mean_nothing_are_found(self):
        for cell, says in (
            ("by hand", ["names no test"]),
            ('`calls`: "renameat3"', ["calls has no subtest renameat3"]),
            ('`cals`: "renameat2"', ["no scenario cals", "cals has no subtest renameat2"]),
            ("`a_test_that_is_none`", ["no test a_test_that_is_none"]),
            ('`calls`: "renameat2"; `options`: "shutdown: ..."', []),
        ):
            with self.subTest(cell=cell):
                self.assertEqual(faults(cell, self.scenarios, self.tests), says)


if __name__ == "__main__":
    unittest.main()
