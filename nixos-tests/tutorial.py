# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The tutorial's commands for the kernel (rust/hello/README.md), as they stand there, on modules that
# its other commands have built.
import re

FOLDER = "/etc/bento/tutorial"
page = machine.succeed(f"cat {FOLDER}/README.md")
blocks = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", page, re.M | re.S))


def run(name):
    """Runs a block in a shell of its own; what it prints."""
    return machine.succeed(f"cd {FOLDER} && bash -euc {shlex.quote(blocks[name])}").splitlines()


with subtest("the file system is loaded, mounted and written"):
    assert run("load") == ["Hello from Bento!", "0.1.0"]

with subtest("it is upgraded while a file is open"):
    version, kept, pause, refused, greeting = run("upgrade")
    assert (version, kept, greeting) == ("0.1.1", "milk, bread", "Hello from the new Bento!")
    assert int(pause) > 0 and refused.startswith("too large now"), (pause, refused)
    assert machine.succeed("lsmod | awk '/^bento/'") == ""
    kernel_is_quiet()
