#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What kernel-module/stack.awk, which the build of a module runs, accepts and refuses."""

import pathlib
import subprocess
import unittest

SCRIPT = pathlib.Path(__file__).parent.parent / "kernel-module" / "stack.awk"


class Object:
    """The disassembly of an object file, as `objdump -dr --no-show-raw-insn` prints it."""

    def __init__(self):
        self.at = 0
        self.lines = ["", "x.o:     file format elf64-x86-64", "", "", "Disassembly of section .text:"]

    def function(self, name, frame=0, pushes=0, calls=(), takes=(), more=()):
        """`calls` and `takes` are symbols or addresses in the section, `more` raw instructions."""
        start = self.at
        self.lines += ["", f"{start:016x} <{name}>:"]
        for _ in range(pushes):
            self.instruction("push   %rbx")
        if frame:
            self.instruction(f"sub    $0x{frame:x},%rsp")
        for what in takes:
            self.instruction("mov    $0x0,%r12", f"R_X86_64_32S\t{self.place(what, 0)}")
        for what in calls:
            self.instruction(f"call   {self.at + 5:x} <{name}+0x5>", f"R_X86_64_PLT32\t{self.place(what, 4)}")
        for line in more:
            self.instruction(*line)
        self.instruction(f"jmp    {self.at + 5:x} <{name}+0x5>", "R_X86_64_PLT32\t__x86_return_thunk-0x4")
        return start

    def place(self, what, bias):
        if isinstance(what, str):
            return f"{what}-0x{bias:x}" if bias else what
        return f".text+0x{what - bias:x}" if what >= bias else f".text-0x{bias - what:x}"

    def instruction(self, text, relocation=None):
        self.lines.append(f"    {self.at:x}:\t{text}")
        if relocation:
            self.lines.append(f"\t\t\t{self.at + 1:x}: {relocation}")
        self.at += 8

    def judge(self, limit=1000):
        """Exit code and text."""
        command = ["awk", "-v", f"limit={limit}", "-v", f"first_limit={2 * limit}", "-v", "verbose=1", "-f", SCRIPT]
        done = subprocess.run(command, input="\n".join(self.lines) + "\n", capture_output=True, text=True)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout


THUNK = [("cs call 0 <x>", "R_X86_64_PLT32\t__x86_indirect_thunk_r11-0x4")]


class Stack(unittest.TestCase):
    def test_a_chain_within_the_limit_is_accepted_and_measured(self):
        made = Object()
        leaf = made.function("leaf", frame=0x88, pushes=2)
        made.function("middle", frame=0x100, calls=["memcpy", leaf])
        made.function("entry", pushes=3, calls=["middle", "middle"])
        code, said = made.judge()
        # 8 bytes per return address.
        total = (8 + 0x88 + 16) + (8 + 0x100) + (8 + 24)
        self.assertIn(f"an operation uses {total} bytes at most", said)
        self.assertEqual(code, 0)
        self.assertEqual(made.judge(limit=total)[0], 0)
        self.assertEqual(made.judge(limit=total - 1)[0], 1)

    def test_a_fat_frame_is_refused_with_its_chain(self):
        made = Object()
        fat = made.function("fat", more=[("sub    $0x1000,%rsp",)])
        made.function("entry", calls=[fat])
        code, said = made.judge()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"(?s)4112 bytes, 1000 are allowed.*8  entry\n +4104  fat")

    def test_a_large_frame_may_be_taken_by_adding(self):
        made = Object()
        made.function("fat", more=[("add    $0xffffffffffffff80,%rsp",)])
        self.assertIn("136 bytes at most", made.judge()[1])

    def test_circles_are_refused(self):
        for length in (1, 2, 3):
            made = Object()
            names = [f"f{i}" for i in range(length)]
            for name, after in zip(names, names[1:] + names[:1]):
                made.function(name, calls=[after])
            made.function("entry", calls=["f0"])
            code, said = made.judge()
            self.assertEqual(code, 1, said)
            self.assertIn("call each other in a circle:\n  f0\n", said)

    def test_a_circle_by_a_jump_to_another_function_is_refused(self):
        made = Object()
        made.function("one", more=[("jmp    0 <two>",)])
        made.function("two", calls=["one"])
        self.assertEqual(made.judge()[0], 1)

    def test_a_place_that_a_relocation_fills_in_is_not_taken_for_the_target(self):
        made = Object()
        made.function("leaf", frame=0x10)
        # With nothing filled in, a call that ends a function leads to the next one.
        made.function("diverges", more=[("call   0 <next>", "R_X86_64_PLT32\tleaf-0x4")])
        made.function("next", calls=["diverges"])
        self.assertEqual(made.judge()[0], 0)

    def test_a_loop_is_no_circle(self):
        made = Object()
        made.function("loops", more=[("jne    10 <loops+0x10>",), ("jmp    0 <loops>",)])
        self.assertEqual(made.judge()[0], 0)

    def test_a_pointer_that_may_lead_anywhere_is_refused(self):
        for more in (THUNK, [("call   *%rax",)]):
            made = Object()
            made.function("dispatch", more=more)
            code, said = made.judge()
            self.assertEqual(code, 1)
            self.assertIn("dispatch calls through a pointer that may lead anywhere", said)

    def test_a_pointer_to_what_the_function_names_is_followed(self):
        made = Object()
        leaf = made.function("leaf", frame=0x200)
        made.function("keeps", takes=[leaf], more=THUNK)
        code, said = made.judge()
        self.assertEqual((code, "528 bytes at most" in said), (0, True), said)
        self.assertEqual(made.judge(limit=527)[0], 1)

    def test_printing_costs_the_worst_implementation_three_times(self):
        made = Object()
        made.function("_RNvNtCs1_4core3fmt5write", frame=0x10, more=THUNK)
        made.function("_RNvXs_NtNtCs1_4core3fmt5Debug3fmt", frame=0x58)
        made.function("entry", calls=["_RNvNtCs1_4core3fmt5write"])
        self.assertIn(f"{8 + 24 + 3 * 96} bytes at most", made.judge()[1])

    def test_a_panic_counts_on_top_and_may_panic(self):
        made = Object()
        made.function("rust_begin_unwind", frame=0x100, calls=["_RNvNtCs1_4core9panicking9panic_fmt"])
        made.function("_RNvNtCs1_4core9panicking9panic_fmt", frame=0x18, calls=["rust_begin_unwind"])
        made.function("entry", frame=0x8, calls=["_RNvNtCs1_4core9panicking9panic_fmt"])
        code, said = made.judge()
        self.assertEqual(code, 0, said)
        self.assertIn(f"{16 + 264 + 32} bytes at most", said)
        self.assertIn(f"a panic takes {264 + 32} of them", said)

    def test_loading_the_module_may_sort_and_a_mount_may_use_more(self):
        made = Object()
        made.function("sort", calls=["sort", "swap"])
        made.function("swap", frame=0x4000)
        made.function("bento_rust_init", calls=["sort"])
        open_it = made.function("open", frame=1900)
        made.function("_R8dispatch5mount5mount", calls=[open_it])
        self.assertEqual(made.judge(), (0, made.judge()[1]))
        self.assertIn("mount or import_state uses 1916 bytes at most", made.judge()[1])
        self.assertEqual(made.judge(limit=957)[0], 1)
        # Whatever an operation calls, too, has to keep to the limit of operations.
        made.function("entry", calls=[open_it])
        self.assertEqual(made.judge()[0], 1)
        made.function("other", calls=["sort"])
        self.assertIn("circle", made.judge()[1])

    def test_stack_of_unknown_size_and_empty_input_are_refused(self):
        made = Object()
        made.function("alloca", more=[("sub    %rax,%rsp",)])
        self.assertIn("size is not known", made.judge()[1])
        self.assertEqual(Object().judge()[0], 1)


if __name__ == "__main__":
    unittest.main()
