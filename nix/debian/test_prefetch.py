# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The rules by which prefetch knows what the store holds, against Nix itself."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def load(name):
    """A script without .py as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


prefetch = load("prefetch")
update = load("update")


def nix_store(*args):
    return subprocess.run(["nix-store", *args], check=True, capture_output=True, text=True).stdout.strip()


class StorePaths(unittest.TestCase):
    def test_a_file_is_where_nix_says(self):
        digest = "0123456789abcdef" * 4
        item = prefetch.Item("some-1.0.tar.gz", digest, "some")
        self.assertEqual(item.path(), nix_store("--print-fixed-path", "sha256", digest, item.name))

    def test_a_folder_is_where_nix_says(self):
        digest = prefetch.read_lock("bookworm")["busybox"]
        expected = nix_store("--print-fixed-path", "--recursive", "sha256", digest, "busybox")
        self.assertEqual(prefetch.store_path("source", digest, "busybox"), expected)

    def test_what_is_not_there_is_missing(self):
        item = prefetch.Item("never-added", "0" * 64, "never")
        self.assertEqual(prefetch.missing([item]), [item])


class Adding(unittest.TestCase):
    def test_a_file_with_another_hash_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file")
            file.write_text("changed on the way")
            item = prefetch.Item("file", "0" * 64, "the file")
            with self.assertRaisesRegex(SystemExit, "the file: sha256 is .*, locked is 0000"):
                prefetch.add([item], [file], folder)


class Locks(unittest.TestCase):
    def test_each_lock_holds_what_the_scope_reads(self):
        for name in prefetch.suites():
            lock = prefetch.read_lock(name)
            series, suites = update.SUITES[name]
            self.assertIn(lock["suite"], suites)
            self.assertEqual(lock["kernel"]["series"], series)
            if lock.get("unavailable"):
                continue
            self.assertTrue(lock["kernel"]["release"].startswith(series + "."))
            named = sum(lock["roots"].values(), lock["kernel"]["dev"] + lock["kernel"]["image"])
            self.assertEqual([n for n in named if n not in lock["packages"]], [])

    def test_the_debug_kernel_is_locked_apart(self):
        """Its source, 150 MB, is fetched for those alone who build it."""
        lock = prefetch.read_lock("debug")
        named = [lock["kernel"]["source"], *lock["roots"]["build"]]
        self.assertEqual([n for n in named if n not in lock["packages"]], [])
        self.assertEqual(update.SUITES["debug"][0], lock["kernel"]["series"])
        self.assertNotIn("debug", prefetch.suites())
        sources = [item.source for item in prefetch.everything()]
        self.assertFalse([name for name in sources if name.startswith("linux-source-")])

    def test_what_draws_is_locked_apart(self):
        lock = prefetch.read_lock("plots")
        self.assertIn("python3-matplotlib", lock["roots"]["plots"])
        self.assertEqual([n for n in lock["roots"]["plots"] if n not in lock["packages"]], [])
        self.assertNotIn("plots", prefetch.suites())
        sources = [item.source for item in prefetch.everything()]
        self.assertFalse([name for name in sources if name.startswith("python3-matplotlib")])

    def test_kernels_that_gate_are_never_locked_as_unavailable(self):
        for name in ("bookworm", "bookworm-backports"):
            self.assertFalse(prefetch.read_lock(name).get("unavailable"), name)

    def test_the_locked_toolchain_is_the_pinned_one(self):
        text = (prefetch.TOP / "rust/rust-toolchain.toml").read_text()
        self.assertIn(f'channel = "{prefetch.read_lock("rust")["version"]}"', text)

    def test_no_lock_names_a_host(self):
        for file in (HERE / "lock").glob("*.json"):
            self.assertNotIn("://", file.read_text(), file.name)


if __name__ == "__main__":
    unittest.main()
