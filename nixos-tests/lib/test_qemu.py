# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A scenario's data file, and the command line that it becomes."""

import pathlib
import tempfile
import unittest

from qemu import Boot, Config, ConfigError, command


class DataFile(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "scenario.toml")
            file.write_text(text)
            return Config.read(file)

    def test_all_keys_are_optional(self):
        self.assertEqual(self.read(""), Config())
        self.assertEqual(Config.read(pathlib.Path("/nonexistent.toml")), Config())

    def test_keys_are_taken(self):
        config = self.read("memory = 512\n[disks]\nbento = 64\n")
        self.assertEqual((config.memory, config.disks), (512, {"bento": 64}))

    def test_versions_change_time_and_memory(self):
        config = self.read("memory = 512\ntimeout = 60\nlong_timeout = 600\n")
        self.assertEqual(config.version(False, 1), config)
        self.assertEqual(config.version(True, 1).timeout, 600)
        slow = config.version(False, 4)
        self.assertEqual((slow.timeout, slow.memory, slow.slowdown), (240, 1024, 4))
        with self.assertRaisesRegex(ConfigError, "'slowdown'"):
            self.read("slowdown = 2\n")

    def test_an_unknown_key_is_named(self):
        with self.assertRaisesRegex(ConfigError, "'memroy'.*known:.*memory"):
            self.read("memroy = 512\n")


class CommandLine(unittest.TestCase):
    def setUp(self):
        paths = [pathlib.Path(name) for name in ("kernel", "initrd", "guest", "system")]
        config = Config(memory=512, cores=1, disks={"bento": 64})
        self.line = command(config, Boot(*paths), pathlib.Path("/state"))

    def test_hardware_virtualisation_is_never_used(self):
        self.assertIn("tcg,thread=multi", self.line)
        self.assertFalse([argument for argument in self.line if "kvm" in argument])

    def test_a_counting_clock_comes_with_one_plain_processor(self):
        paths = [pathlib.Path(name) for name in ("kernel", "initrd", "guest", "system")]
        line = command(Config(icount=True, cores=2), Boot(*paths), pathlib.Path("/state"))
        at = lambda option: line[line.index(option) + 1]
        self.assertEqual((at("-icount"), at("-smp")), ("shift=0,sleep=off,align=off", "1"))
        self.assertIn("-erms", at("-cpu"))
        self.assertIn("nokaslr", at("-append"))
        self.assertNotIn("virtio-rng-pci", line)

    def test_a_kernel_panic_ends_the_machine(self):
        self.assertIn("-no-reboot", self.line)
        self.assertIn("panic=-1", self.line[self.line.index("-append") + 1])

    def test_disks_carry_serials_and_images_are_read_only(self):
        text = " ".join(self.line)
        self.assertIn("file=/state/bento.img,if=none,format=raw,cache=writeback,discard=unmap,readonly=off", text)
        self.assertIn("virtio-blk-pci,drive=bento,serial=bento", text)
        self.assertIn("file=guest,if=none,format=raw,cache=writeback,discard=unmap,readonly=on", text)


if __name__ == "__main__":
    unittest.main()
