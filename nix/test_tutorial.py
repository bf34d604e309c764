#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Runs the host part of rust/hello/README.md as it stands, in a copy of the tree. (The scenario
`tutorial` runs the rest on a kernel.)

Needs cargo; the mount needs root and /dev/fuse (BENTO_REQUIRE_FUSE=1: fails without).
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = (ROOT / "rust/hello/README.md").read_text()
# NAME -> commands: the blocks that begin with ```sh NAME, in the order of the page.
BLOCKS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", TEXT, re.M | re.S))


def fuse_works():
    return os.geteuid() == 0 and os.path.exists("/dev/fuse")


class Tutorial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.tree.cleanup)
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                target = pathlib.Path(cls.tree.name, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)

    def run_block(self, name, check=True):
        # What the dependencies of the tree's own builds left is used again.
        target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "rust/target"))
        done = subprocess.run(
            ["bash", "-euc", BLOCKS[name]],
            cwd=self.tree.name,
            env={**os.environ, "CARGO_TARGET_DIR": target},
            capture_output=True,
            text=True,
            timeout=1200,
        )
        if check:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_1_there_are_all_parts(self):
        expected = "new test fuse build load change rebuild upgrade".split()
        self.assertEqual(list(BLOCKS), expected)

    def test_2_a_file_system_is_made_and_passes_its_tests(self):
        self.run_block("new")
        self.assertIn("test result: ok", self.run_block("test").stdout)
        again = self.run_block("new", check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("is there already", again.stderr)
        # Nothing is left of the name that it was made from, but the file that it shows.
        source = pathlib.Path(self.tree.name, "rust/memo/src/lib.rs").read_text()
        self.assertIn('NAME: &\'static str = "memo"', source)
        self.assertIn("pub struct Memo(", source)

    def test_3_it_is_mounted_through_fuse(self):
        if not fuse_works():
            if os.environ.get("BENTO_REQUIRE_FUSE"):
                self.fail("no root or no /dev/fuse")
            self.skipTest("a mount through FUSE needs root and /dev/fuse")
        said = self.run_block("fuse").stdout
        self.assertIn("Hello from Bento!\nmilk, bread\n", said.replace("memo is mounted on /tmp/memo; umount ends it\n", ""))

    def test_4_names_that_cannot_be_are_refused(self):
        # mount(8) takes "-t notes" for every type but "tes"; log is a crate that hello needs; what
        # the kernel calls a type has 15 bytes at most.
        for name in ("", "Memo", "a", "ext4", "me-mo", "hello", "notes", "log", "fn", "a" * 16):
            done = subprocess.run(
                ["./dev", "new", name], cwd=self.tree.name, capture_output=True, text=True
            )
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn("new: ", done.stderr)
            self.assertEqual(name in os.listdir(f"{self.tree.name}/rust"), name == "hello", name)


if __name__ == "__main__":
    unittest.main()
