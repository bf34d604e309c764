#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Checks the scenarios of nixos-tests/ without running them, as the NixOS driver does when it
builds a test: every name is known, nothing is imported in vain, and every call of the driver's API
and of prelude.py's helpers has arguments that fit.
"""

import ast
import builtins
import importlib.util
import inspect
import pathlib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE.parent / "nixos-tests"
PRELUDE = FOLDER / "prelude.py"

spec = importlib.util.spec_from_file_location("nixos_driver", HERE / "test/nixos_driver.py")
driver = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver)


def public(namespace):
    return {name: value for name, value in namespace.items() if not name.startswith("_")}


def helpers():
    """The functions of prelude.py; running it only defines them."""
    names = public(vars(driver))
    exec(compile(PRELUDE.read_text(), str(PRELUDE), "exec"), names)
    return names


def bound(tree):
    """Every name that the text gives a meaning, wherever it does so, with its line."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, node.lineno)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.setdefault(node.name, node.lineno)
            if isinstance(node, ast.FunctionDef):
                every = node.args
                for arg in every.args + every.kwonlyargs + every.posonlyargs:
                    found.setdefault(arg.arg, node.lineno)
                for arg in (every.vararg, every.kwarg):
                    if arg:
                        found.setdefault(arg.arg, node.lineno)
        elif isinstance(node, ast.Lambda):
            for arg in node.args.args:
                found.setdefault(arg.arg, node.lineno)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                found.setdefault((alias.asname or alias.name).split(".")[0], node.lineno)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.setdefault(node.name, node.lineno)
    return found


def used(tree):
    return {
        node.id: node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def imported(tree):
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def target(call, known, own):
    """The function that a call means, where that can be told."""
    function = call.func
    if isinstance(function, ast.Name) and function.id in known and function.id not in own:
        return known[function.id]
    if (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "machine"
    ):
        method = getattr(driver.Machine, function.attr, None)
        if method is None:
            raise TypeError(f"the driver's machine has no {function.attr}()")
        return method.__get__(driver.machine)
    return None


def call_fault(call, known, own):
    """What is wrong with a call, in words, or None."""
    try:
        function = target(call, known, own)
        # What is unpacked (*a, **b) has as many arguments as it has.
        unpacked = any(isinstance(a, ast.Starred) for a in call.args) or any(
            k.arg is None for k in call.keywords
        )
        if inspect.isroutine(function) and not inspect.isbuiltin(function) and not unpacked:
            inspect.signature(function).bind(*call.args, **{k.arg: k.value for k in call.keywords})
    except TypeError as error:
        return str(error)
    return None


def faults(text, known):
    """Everything that is wrong with a scenario, as lines of text."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [f"{error.lineno}: {error.msg}"]
    own, uses = bound(tree), used(tree)
    found = [
        f"{line}: {name} is not defined"
        for name, line in uses.items()
        if name not in own and name not in known and not hasattr(builtins, name)
        # (Our driver alone knows it; bench.py, which uses it, is no NixOS test.)
        and name != "__file__"
    ]
    found += [f"{own[name]}: {name} is imported in vain" for name in imported(tree) - set(uses)]
    formats = {
        id(node.format_spec) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            fault = call_fault(node, known, own)
            if fault:
                found.append(f"{node.lineno}: {fault}")
        if (
            isinstance(node, ast.JoinedStr)
            and id(node) not in formats
            and not any(isinstance(part, ast.FormattedValue) for part in node.values)
        ):
            found.append(f"{node.lineno}: an f-string without a placeholder")
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple) and node.test.elts:
            found.append(f"{node.lineno}: an assertion that cannot fail")
    return found


class Scenarios(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.known = helpers()

    def test_every_scenario_fits_the_drivers_api(self):
        scripts = sorted(FOLDER.glob("*.py")) + sorted(FOLDER.glob("nixos/*.py"))
        self.assertGreater(len(scripts), 15)
        for script in scripts:
            known = public(vars(driver)) if script == PRELUDE else self.known
            with self.subTest(script=script.name):
                self.assertEqual(faults(script.read_text(), known), [])

    def test_every_scenario_has_its_machine(self):
        for script in sorted(FOLDER.glob("*.py")) + sorted(FOLDER.glob("nixos/*.py")):
            if script != PRELUDE:
                self.assertTrue(script.with_suffix(".toml").exists(), script)

    def test_the_lines_that_a_scenario_runs_are_those_of_the_readme(self):
        page = (FOLDER.parent / "kernel-module/README.md").read_text().splitlines()
        tree = ast.parse((FOLDER / "observe.py").read_text())
        lines = {n.targets[0].id: n.value for n in tree.body if isinstance(n, ast.Assign)}
        for name in ("LIVE", "COUNTS"):
            self.assertIn("    " + ast.literal_eval(lines[name]), page)

    def test_faults_are_found(self):
        for text, says in (
            ("machine.succed('true')", "has no succed()"),
            ("machine.wait_for_file()", "missing a required argument"),
            ("machine.succeed('true', timout=3)", "unexpected keyword"),
            ("finish()", "missing a required argument"),
            ("mount(disk='a', were='b')", "unexpected keyword"),
            ("print(statsu('state'))", "statsu is not defined"),
            ("import time", "imported in vain"),
            ("log(f'done')", "without a placeholder"),
            ("assert (1 == 2, 'no')", "cannot fail"),
            ("with subtest('x')\n    pass", "expected ':'"),
        ):
            with self.subTest(text=text):
                self.assertIn(says, " ".join(faults(text, self.known)))
        self.assertEqual(faults("machine.succeed('a', 'b', timeout=3)\nfinish('x')", self.known), [])


if __name__ == "__main__":
    unittest.main()
