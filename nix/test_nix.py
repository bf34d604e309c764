#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What can be proved of the Nix files without nixpkgs: syntax, format, and the lock.

Needs nix; and nixfmt (the official format) and deadnix where NIXFMT and DEADNIX name them.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHA256 = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")


def tracked(*patterns):
    """The files of the repository that match, those that are not yet committed, too."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [name for name in listed if (ROOT / name).exists()]


def nix_files():
    return [ROOT / name for name in tracked("*.nix")]


def lock_faults(lock, flake):
    """Every way in which a lock and the text of its flake.nix disagree, in words."""
    faults = []
    nodes = lock["nodes"]
    root = nodes[lock["root"]]["inputs"]
    urls = dict(re.findall(r'^\s*([a-z-]+)\.url = "(.*)";', flake, re.M))
    urls |= dict(re.findall(r'^\s*([a-z-]+) = \{\s*url = "(.*)";', flake, re.M))
    if lock["version"] != 7:
        faults.append(f"version {lock['version']} instead of 7")
    if set(urls) != set(root):
        faults.append(f"inputs {sorted(urls)} in flake.nix, {sorted(root)} in the lock")
    for name, url in urls.items():
        original = nodes.get(root.get(name, ""), {}).get("original", {})
        locked_url = "github:" + "/".join(
            original[key] for key in ("owner", "repo", "ref") if key in original
        ) if original else "nothing"
        if locked_url != url:
            faults.append(f"{name}: {url} in flake.nix, {locked_url} in the lock")
    for name, node in nodes.items():
        if name == lock["root"]:
            continue
        locked = node.get("locked", {})
        if not re.fullmatch(r"[0-9a-f]{40}", locked.get("rev", "")):
            faults.append(f"{name}: no revision of 40 hex digits")
        if not SHA256.fullmatch(locked.get("narHash", "")):
            faults.append(f"{name}: no narHash")
        if not isinstance(locked.get("lastModified"), int):
            faults.append(f"{name}: no lastModified")
    follows = nodes.get("rust-overlay", {}).get("inputs", {}).get("nixpkgs")
    if follows != ["nixpkgs"]:
        faults.append(f"rust-overlay does not follow nixpkgs but {follows}")
    return faults


class Places(unittest.TestCase):
    """What is built must not depend on a host's name or on where somebody's files lie. (tidy looks for
    the names of the registries themselves, in all files.)"""

    # Another user's home, which nix/debian/repro.nix makes up to build in.
    MADE_UP = "/home/bob/"
    PLACE = re.compile(r"[a-z]+://(?!(debian|rust|crates)\b)|/nix/store/[0-9a-z]{32}-|/(home|root|Users)/")

    def faults(self, text):
        return [m.group() for m in self.PLACE.finditer(text.replace(self.MADE_UP, ""))]

    def test_no_file_names_a_host_or_a_place_of_one_machine(self):
        files = [
            name
            for name in tracked("flake.nix", "nix", "kernel-module")
            if not name.endswith(".lock") and name != "nix/test_nix.py"
        ]
        self.assertGreater(len(files), 80)
        here = {str(ROOT), str(pathlib.Path.home())} - {"/"}
        for name in files:
            text = (ROOT / name).read_text()
            self.assertEqual(self.faults(text), [], name)
            self.assertEqual([place for place in here if f"{place}/" in text], [], name)

    def test_such_a_name_is_found(self):
        for text in ("curl https://example.org/x", "cp /home/al/x .", f"/nix/store/{'a' * 32}-x"):
            self.assertTrue(self.faults(text), text)


class Syntax(unittest.TestCase):
    def test_every_nix_file_parses(self):
        files = nix_files()
        self.assertGreater(len(files), 10)
        done = subprocess.run(
            ["nix-instantiate", "--parse", *files], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_nix_file_has_the_official_format(self):
        nixfmt = os.environ.get("NIXFMT")
        if not nixfmt:
            self.skipTest("NIXFMT is not set: ./dev check sets it")
        done = subprocess.run([nixfmt, "--check", *nix_files()], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


    def test_no_nix_file_has_unused_code(self):
        deadnix = os.environ.get("DEADNIX")
        if not deadnix:
            self.skipTest("DEADNIX is not set: ./dev check sets it")
        # Pattern names of a call's arguments say what the caller gives, used or not.
        arguments = [deadnix, "--fail", "--no-lambda-pattern-names"]
        done = subprocess.run([*arguments, *nix_files()], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with tempfile.NamedTemporaryFile("w", suffix=".nix") as file:
            file.write("let unused = 1; in 2\n")
            file.flush()
            self.assertNotEqual(subprocess.run([*arguments, file.name], capture_output=True).returncode, 0)


def offline():
    """What a command begins with so that it has no network, or nothing where that is not allowed."""
    prefix = ["unshare", "--net", "--map-root-user"]
    works = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True)
    return prefix if works and works.returncode == 0 else None


class DebianScope(unittest.TestCase):
    def setUp(self):
        self.prefix = offline()
        if self.prefix is None:
            self.skipTest("unshare --net does not work here")

    def nix(self, *arguments, cwd=ROOT):
        return subprocess.run(
            [*self.prefix, "nix", "--extra-experimental-features", "nix-command flakes", *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
        )

    def evaluate(self, attribute):
        """name -> derivation of an attribute set of the flake without inputs."""
        done = self.nix(
            "eval",
            "--json",
            f"./nix/debian#{attribute}",
            "--apply",
            "builtins.mapAttrs (_: value: value.drvPath)",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_every_output_evaluates_without_a_network(self):
        packages = self.evaluate("packages.x86_64-linux")
        checks = self.evaluate("checks.x86_64-linux")
        self.assertLessEqual({"deb", "xv6-tools", "bento-xv6", "bentofs-linux_6_1"}, set(packages))
        self.assertLessEqual({"deb-linux_6_1", "deb-linux_6_12"}, set(checks))
        for attribute in ("longChecks", "repro"):
            self.assertTrue(self.evaluate(f"legacyPackages.x86_64-linux.{attribute}"))

    def test_the_locks_of_both_flakes_stay_as_they_are(self):
        """A copy in a repository of its own, so that what Nix would rewrite is not ours."""
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            for name in ("flake.nix", "flake.lock"):
                shutil.copy(ROOT / name, top)
            git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
            subprocess.run([*git, "init", "-q"], cwd=top, check=True)
            subprocess.run([*git, "add", "."], cwd=top, check=True)
            done = self.nix("flake", "lock", "--offline", ".", cwd=top)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual((top / "flake.lock").read_bytes(), (ROOT / "flake.lock").read_bytes())
            # And a flake that asks for something else is noticed.
            text = (top / "flake.nix").read_text()
            (top / "flake.nix").write_text(text.replace("nixos-unstable", "nixos-23.05"))
            done = self.nix("flake", "lock", "--offline", ".", cwd=top)
            self.assertNotEqual(done.returncode, 0)


class Lock(unittest.TestCase):
    def setUp(self):
        self.lock = json.loads((ROOT / "flake.lock").read_text())
        self.flake = (ROOT / "flake.nix").read_text()

    def test_the_lock_fits_the_flake(self):
        self.assertEqual(lock_faults(self.lock, self.flake), [])

    def test_a_lock_that_does_not_fit_is_found(self):
        def broken(change):
            lock = json.loads(json.dumps(self.lock))
            change(lock["nodes"])
            return lock_faults(lock, self.flake)

        self.assertTrue(broken(lambda n: n["crane"]["locked"].pop("narHash")))
        self.assertTrue(broken(lambda n: n["crane"]["locked"].update(rev="main")))
        self.assertTrue(broken(lambda n: n["nixpkgs"]["original"].update(ref="nixos-23.05")))
        self.assertTrue(broken(lambda n: n["rust-overlay"]["inputs"].pop("nixpkgs")))
        self.assertTrue(broken(lambda n: n["root"]["inputs"].pop("crane")))
        self.assertTrue(lock_faults(self.lock, self.flake.replace("ipetkov/crane", "other/crane")))


if __name__ == "__main__":
    unittest.main()
