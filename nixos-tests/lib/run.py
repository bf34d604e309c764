#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Run one scenario (a NixOS test script) on a Debian kernel in QEMU.

The last line of the output counts the scenario's subtests:

    N passed, N failed, N skipped

A scenario also fails when the guest's kernel complains (see console.BAD_LINE), whatever the
script found.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
import threading
import time
import traceback
import unittest

import machine as machines
from console import bad_lines
from machine import Machine, MachineError, RequestedAssertionFailed, log, retry
from qemu import Boot, Config, ConfigError

# Bits of /proc/sys/kernel/tainted: bad page, died, warned, soft lockup.
BAD_TAINT = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14


class Run:
    """One execution of one scenario, with its counts."""

    def __init__(self, name, machine, config, long=False):
        self.name = name
        self.long = long
        self.machine = machine
        self.config = config
        self.subtests = {}  # name: "passed" or "failed", of the outermost ones
        self.failures = []
        self.depth = 0
        self.began = time.monotonic()

    @contextlib.contextmanager
    def subtest(self, name):
        log(f"subtest: {name}")
        began = time.monotonic()
        self.depth += 1
        try:
            yield
            result = "passed"
        except BaseException:
            log(f"subtest: {name}: FAILED")
            result = "failed"
            raise
        finally:
            self.depth -= 1
            if self.depth == 0:
                self.subtests[name] = result
        log(f"subtest: {name}: passed in {time.monotonic() - began:.1f} s")

    def names(self):
        """The globals that a scenario may use."""
        machine = self.machine
        return {
            "machine": machine,
            "machines": [machine],
            "start_all": machine.start,
            "join_all": machine.wait_for_shutdown,
            "subtest": self.subtest,
            "retry": retry,
            "log": log,
            "t": unittest.TestCase(),
            "LONG": self.long,
        }

    def execute(self, script):
        try:
            names = self.names() | {"__file__": str(script)}
            # NixOS gets both as one script: the helpers first.
            for part in (script.with_name("prelude.py"), script):
                if part.exists():
                    exec(compile(part.read_text(), str(part), "exec"), names)
            self.check_taint()
        except (RequestedAssertionFailed, MachineError, AssertionError) as error:
            line = next(
                (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(script)),
                "?",
            )
            self.failures.append(f"{script.name}:{line}: {error}")
        except Exception:
            self.failures.append(f"{script.name}: error in the script:\n{traceback.format_exc()}")

    def check_taint(self):
        if self.machine.is_up():
            taint = int(self.machine.execute("cat /proc/sys/kernel/tainted")[1])
            if taint & BAD_TAINT and not self.config.allow_console:
                raise RequestedAssertionFailed(f"the kernel is tainted: {taint:#x}")

    def check_console(self):
        lines = self.machine.console_lines()
        bad = bad_lines(lines, self.config.allow_console)
        if bad:
            self.failures.append(f"the kernel complained {len(bad)} times, first: {bad[0]}")

    def report(self, out):
        passed = sum(result == "passed" for result in self.subtests.values())
        if not self.failures and not self.subtests:
            passed = 1
        for failure in self.failures:
            log(f"FAILED {self.name}: {failure}")
        counts = {"passed": passed, "failed": len(self.failures), "skipped": 0}
        seconds = round(time.monotonic() - self.began, 1)
        if out:
            out.mkdir(parents=True, exist_ok=True)
            (out / "console.log").write_text("\n".join(self.machine.console_lines()) + "\n")
            result = {"scenario": self.name, "seconds": seconds, **counts, "subtests": self.subtests}
            (out / "result.json").write_text(json.dumps(result) + "\n")
        log(f"{self.name} took {seconds} s")
        print(", ".join(f"{number} {what}" for what, number in counts.items()), flush=True)
        return 1 if self.failures else 0


def interact(machine):
    """Commands from stdin, until its end."""
    machine.connect()
    print("A root shell of the guest, one command per line; end with Ctrl-D.", file=sys.stderr)
    while True:
        print("guest# ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        if line.strip():
            status, output = machine.execute(line.strip(), timeout=None)
            print(output, end="")
            if status != 0:
                print(f"(status {status})", file=sys.stderr)
    machine.shutdown()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", type=pathlib.Path, help="FILE.py, or 'shell' for a prompt")
    for image in ("kernel", "initrd", "guest", "system"):
        parser.add_argument(f"--{image}", type=pathlib.Path, required=True)
    parser.add_argument("--config", type=pathlib.Path, help="its data; default: FILE.toml")
    parser.add_argument("--state", type=pathlib.Path, help="folder of the disks; default: a new one")
    parser.add_argument("--out", type=pathlib.Path, help="folder for result.json and console.log")
    parser.add_argument("--long", action="store_true", help="run the long version")
    parser.add_argument(
        "--slowdown", type=int, default=1, help="the kernel takes this many times as long, and twice the memory"
    )
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    return parser.parse_args()


def watchdog(run, out):
    """Ends the whole run from outside when it takes too long."""

    def expire():
        run.failures.append(f"not done after {run.config.timeout} s")
        run.report(out)
        if run.machine.booted:
            run.machine._process.kill()
        # Other threads wait for the guest: this is the only way out.
        sys.stdout.flush()
        machines.os._exit(1)

    timer = threading.Timer(run.config.timeout, expire)
    timer.daemon = True
    timer.start()
    return timer


def main():
    args = arguments()
    shell = str(args.scenario) == "shell"
    if not shell and not args.scenario.exists():
        raise SystemExit(f"run.py: there is no scenario {args.scenario}")
    try:
        config = Config.read(args.config or args.scenario.with_suffix(".toml"))
        config = config.version(args.long, args.slowdown)
    except ConfigError as error:
        raise SystemExit(f"run.py: {error}") from None
    boot = Boot(args.kernel, args.initrd, args.guest, args.system, args.qemu)
    with tempfile.TemporaryDirectory() as temporary:
        machine = Machine("machine", config, boot, args.state or temporary)
        run = Run(args.scenario.stem + ("-long" if args.long else ""), machine, config, args.long)
        try:
            if shell:
                interact(machine)
                return 0
            timer = watchdog(run, args.out)
            run.execute(args.scenario)
            timer.cancel()
            run.check_console()
            return run.report(args.out)
        finally:
            machine.crash()


if __name__ == "__main__":
    sys.exit(main())
