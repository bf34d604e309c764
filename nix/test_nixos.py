#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What can be proved of flake.nix and the NixOS module without nixpkgs: both are evaluated against
a test double (test/double.nix), and what they make is compared with what is expected.

Needs nix-instantiate.
"""

import json
import pathlib
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NAMES = HERE / "test/names.json"


def evaluate(expression):
    """The value of an expression in which `double` is the test double."""
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "-E", f"let double = import {HERE}/test/double.nix; in {expression}"],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def machine(config, kernel="6.12.100", module=None):
    """What the NixOS module makes of a configuration."""
    path = f"modulePath = {module};" if module else ""
    return evaluate(f'double.machine {{ kernel = "{kernel}"; config = {{ {config} }}; {path} }}')


class Flake(unittest.TestCase):
    def test_the_names_of_all_outputs_are_those_of_the_list(self):
        found = evaluate("double.names")
        self.assertEqual(
            found,
            json.loads(NAMES.read_text()),
            f"if that is meant, write it down: {HERE.name}/test_nixos.py --write",
        )

    def test_every_package_and_check_can_be_evaluated(self):
        paths = evaluate("double.paths")
        self.assertGreater(len(paths), 50)
        for name, path in paths.items():
            self.assertTrue(path.startswith("/double/"), f"{name}: {path}")

    def test_modules_are_built_by_the_kernels_own_compiler_and_for_that_kernel(self):
        for label, version in (("linux_6_1", "6.1.180"), ("linux_latest", "7.1.9")):
            for name in ("bentofs", "bento-xv6"):
                text = evaluate(f'double.build "{label}" "{name}"')
                self.assertIn(f"CC=/double/cc-{version}", text)
            self.assertIn(f"/double/bentofs-{version}/share/bentofs/Module.symvers", text)

    def test_modules_for_kernels_that_are_too_old_are_broken(self):
        broken = evaluate("double.broken")
        self.assertTrue(broken.pop("old"))
        self.assertEqual(len(broken), 5)
        self.assertFalse(any(broken.values()), broken)
        meta = evaluate(
            '((double.linuxPackages "5.15.1").callPackage double.flake.packages.x86_64-linux.xv6-tools.kernelModule { }).meta'
        )
        self.assertTrue(meta["broken"])
        self.assertIn("needs Linux 6.1 or newer, and this kernel is 5.15.1", meta["longDescription"])

    def test_the_overlay_adds_modules_to_every_kernel(self):
        for label in ("6_1", "latest"):
            names = evaluate(
                "let made = double.flake.overlays.default double.pkgs { };"
                f" in map (f: builtins.attrNames (f double.pkgs.linuxPackages_{label} {{ }})) made.kernelPackagesExtensions"
            )
            self.assertEqual(len(names), 1)
            self.assertEqual(set(names[0]), {"bentofs", "bento-hello", "bento-prov", "bento-xv6"})

    def test_a_kernel_of_ones_own_takes_the_module(self):
        path = evaluate(
            '((double.linuxPackages "6.9.9").callPackage double.flake.packages.x86_64-linux.xv6-tools.kernelModule { }).outPath'
        )
        self.assertRegex(path, r"^/double/bento-xv6-.*-6\.9\.9$")

    def test_the_template_is_the_tree_where_the_tutorial_begins(self):
        template = evaluate(
            "let t = double.flake.templates.default; in t // { path = toString t.path; }"
        )
        # nix/test_tutorial.py runs this command in a copy of that tree.
        self.assertEqual(template["path"], str(ROOT))
        self.assertIn("`./dev new memo`", template["welcomeText"])
        tutorial = (ROOT / "rust/hello/README.md").read_text()
        self.assertIn("```sh new\n./dev new memo\n```", tutorial)
        self.assertIn("`rust/hello/README.md`", template["welcomeText"])

    def test_the_scenarios_of_the_matrix_exist(self):
        matrix = evaluate(f"let m = import {ROOT}/nixos-tests/matrix.nix; in {{ inherit (m) shared own; }}")
        for kind, folder in (("shared", "nixos-tests"), ("own", "nixos-tests/nixos")):
            for name in matrix[kind]:
                for suffix in (".py", ".toml"):
                    self.assertTrue((ROOT / folder / (name + suffix)).exists(), name)


class Module(unittest.TestCase):
    def test_nothing_is_done_where_nothing_is_wanted(self):
        self.assertEqual(machine(""), {"nothing": True})

    def test_a_mount_of_its_type_is_enough(self):
        made = machine("boot.supportedFilesystems.xv6 = true;")
        self.assertEqual(made["failed"], [])
        self.assertEqual(made["kernelModules"], ["bentofs", "bento_xv6"])
        self.assertEqual(made["modulePackages"], ["bentofs-6.12.100", "bento-xv6-6.12.100", "bento-prov-6.12.100"])
        self.assertEqual(made["fsPackages"], ["xv6-tools"])
        self.assertEqual(made["systemPackages"], ["bentoctl"])
        self.assertEqual(list(made["services"]), ["bento-xv6"])

    def test_every_way_to_enable_it_gives_the_same(self):
        first = machine("boot.supportedFilesystems.xv6 = true;")
        self.assertEqual(machine("boot.bento.enable = true;"), first)
        self.assertEqual(machine("boot.bento.fileSystems.xv6.enable = true;"), first)

    def test_modules_are_those_of_the_configured_kernel(self):
        made = machine("boot.bento.enable = true;", kernel="6.6.6")
        self.assertEqual(made["modulePackages"], ["bentofs-6.6.6", "bento-xv6-6.6.6", "bento-prov-6.6.6"])
        script = made["services"]["bento-xv6"]["script"]
        self.assertIn("/double/bento-xv6-6.6.6/lib/modules/$running", script)

    def test_file_systems_are_independent(self):
        made = machine("boot.bento.fileSystems.hello.enable = true;")
        self.assertEqual(list(made["services"]), ["bento-hello"])
        self.assertEqual(made["fsPackages"], [])

    def test_the_unit(self):
        unit = machine("boot.bento.enable = true;")["services"]["bento-xv6"]
        script = unit.pop("script")
        self.assertEqual(
            unit,
            {
                "description": "Bento file system xv6",
                "wantedBy": ["local-fs-pre.target"],
                "before": ["local-fs-pre.target"],
                "after": ["systemd-modules-load.service"],
                "unitConfig": {"DefaultDependencies": False},
                "stopIfChanged": False,
                "path": ["kmod"],
                "serviceConfig": {"Type": "oneshot", "RemainAfterExit": True},
            },
        )
        # By path: modprobe looks into the system that was booted.
        self.assertIn('/bin/bentoctl load "$file"', script)
        self.assertIn('/bin/bentoctl upgrade --mount "$id" "$1" || status=1', script)
        # A mount that was moved to the recording build goes to the new one of these.
        self.assertIn("move /double/bento-prov-6.12.100/lib/modules/$running/updates/bento_*.ko", script)
        syntax = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True)
        self.assertEqual(syntax.returncode, 0, syntax.stderr)

    def test_on_switch_reboot_leaves_what_is_mounted(self):
        upgrade = machine("boot.bento.enable = true;")["services"]["bento-xv6"]["script"]
        reboot = machine('boot.bento = { enable = true; onSwitch = "reboot"; };')
        reboot = reboot["services"]["bento-xv6"]["script"]
        self.assertNotIn("from the next boot on", upgrade)
        self.assertIn("from the next boot on", reboot)
        self.assertNotIn("bentoctl upgrade", reboot)

    def test_assertions_say_what_is_wrong(self):
        for config, kernel, says in (
            ("", "5.15.1", "needs Linux 6.1 or newer, and boot.kernelPackages is 5.15.1"),
            ("security.lockKernelModules = true;", "6.12.1", "lockKernelModules forbids"),
            ("boot.bento.fileSystems.xv7.enable = true;", "6.12.1", "no file system xv7; it has hello, xv6"),
        ):
            failed = machine(f"boot.supportedFilesystems.xv6 = true; {config}", kernel=kernel)["failed"]
            self.assertEqual(len(failed), 1, failed)
            self.assertIn(says, failed[0])

    def test_a_mistyped_name_alone_is_noticed(self):
        self.assertEqual(len(machine("boot.bento.fileSystems.xv7.enable = true;")["failed"]), 1)

    def test_mount_options_reach_mounts_of_the_type_only(self):
        bento = '{ fileSystems.xv6.mountOptions = [ "noatime" ]; }'
        self.assertEqual(evaluate(f'double.mountOptions "xv6" {bento}'), ["noatime"])
        self.assertEqual(evaluate(f'double.mountOptions "ext4" {bento}'), [])
        self.assertEqual(evaluate('double.mountOptions "xv6" { fileSystems = { }; }'), [])

    def test_a_package_of_the_users_is_taken(self):
        made = machine('boot.bento.fileSystems.xv6 = { enable = true; package.name = "mine"; package.outPath = "/mine"; };')
        self.assertIn("mine", made["modulePackages"])
        self.assertIn("/mine/lib/modules", made["services"]["bento-xv6"]["script"])

    def test_a_broken_module_is_caught(self):
        """Each of these changes is one that the tests above have to notice."""
        text = (HERE / "module.nix").read_text()
        for name in ("kernels", "file-systems", "unit"):
            text = text.replace(f"./{name}.nix", f"{HERE}/{name}.nix")
        good = machine("boot.bento.enable = true;")
        for old, new in (
            ("stopIfChanged = false;", ""),
            ('"bento_${name}"', '"${name}"'),
            ("modules = modulesFor kernelPackages;", "modules = modulesFor pkgs.linuxPackages;"),
            ("system.fsPackages = ", "system.fsPackages = [ ] ++ builtins.filter (_: false) ("),
        ):
            self.assertEqual(text.count(old), 1, old)
            broken = text.replace(old, new)
            if new.endswith("("):
                broken = broken.replace("  ) wanted;\n    environment", "  ) wanted);\n    environment")
            with tempfile.NamedTemporaryFile("w", suffix=".nix") as file:
                file.write(broken)
                file.flush()
                self.assertNotEqual(machine("boot.bento.enable = true;", module=file.name), good, old)


if __name__ == "__main__":
    import sys

    if sys.argv[1:] == ["--write"]:
        NAMES.write_text(json.dumps(evaluate("double.names"), indent=2) + "\n")
    else:
        unittest.main()
