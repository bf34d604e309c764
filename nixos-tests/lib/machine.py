# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The machine object of the NixOS test driver's API, on QEMU and a Debian kernel.

Names and semantics follow nixpkgs' test_driver/machine, so that a scenario runs unchanged
under both. What needs systemd is answered as far as this guest goes: "multi-user.target" is
active once the shell is up, any other unit is unknown.
"""

import base64
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import time

from console import Console
from qemu import command

BOOT_TIMEOUT = 300
BOOT_ATTEMPTS = 3
SHELL_UP = b"Spawning backdoor root shell...\n"


class RequestedAssertionFailed(Exception):
    """A scenario's expectation does not hold."""


class MachineError(Exception):
    """The machine itself failed: it does not boot, or it died under a command."""


def log(text):
    print(f"driver: {text}", file=sys.stderr, flush=True)


def retry(attempt, timeout_seconds=900):
    """Call ATTEMPT(last_try) every second until it returns true."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if attempt(False):
            return
        time.sleep(1)
    if not attempt(True):
        raise RequestedAssertionFailed(f"action timed out after {timeout_seconds} seconds")


class Machine:
    """One virtual machine; its disks outlive its crashes."""

    def __init__(self, name, config, boot, state):
        self.name = name
        self.booted = False
        self.connected = False
        self.console_history = []
        self._config = config
        self._boot = boot
        self._state = pathlib.Path(state)
        self._process = None
        self._console = None
        self._shell = None
        self._shell_input = b""
        self._monitor = None
        self._allow_reboot = False
        for serial, size in config.disks.items():
            with open(self._state / f"{serial}.img", "ab") as image:
                image.truncate(size << 20)

    # Power

    def start(self, allow_reboot=False):
        """Switch on; does not wait for the system to be up (connect() does)."""
        if self.booted:
            return
        self._allow_reboot = allow_reboot
        log(f"{self.name}: starting")
        listeners = {}
        for name in ("shell", "monitor"):
            path = self._state / name
            path.unlink(missing_ok=True)
            listeners[name] = socket.socket(socket.AF_UNIX)
            listeners[name].bind(os.fspath(path))
            listeners[name].listen(1)
            listeners[name].settimeout(60)
        self._process = subprocess.Popen(
            command(self._config, self._boot, self._state, allow_reboot),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._console = Console(self.name, self._process.stdout)
        try:
            self._monitor, _ = listeners["monitor"].accept()
            self._shell, _ = listeners["shell"].accept()
        except TimeoutError:
            raise MachineError("QEMU did not start; its own message stands above") from None
        finally:
            for listener in listeners.values():
                listener.close()
        self._shell_input = b""
        self.booted = True

    def connect(self):
        """Wait until the system is up and its shell answers; switches on if need be."""
        if self.connected:
            return
        for attempt in range(1, BOOT_ATTEMPTS + 1):
            self.start(self._allow_reboot)
            began = time.monotonic()
            if self._await_shell(began + BOOT_TIMEOUT):
                log(f"{self.name}: up after {time.monotonic() - began:.1f} s")
                self.connected = True
                return
            # Multi-threaded emulation kills about one boot in ten of some kernels while they
            # patch their own code, long before a line of ours runs. No disk was touched yet.
            log(f"{self.name}: died before its first process (attempt {attempt})")
            self._power_off()
        raise MachineError(f"{self.name} did not boot in {BOOT_ATTEMPTS} attempts")

    def _await_shell(self, deadline):
        while SHELL_UP not in self._shell_input:
            self._shell.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                chunk = self._shell.recv(4096)
            except TimeoutError:
                return False
            if not chunk:
                return False
            self._shell_input += chunk
        self._shell_input = self._shell_input.split(SHELL_UP, 1)[1]
        return True

    def crash(self):
        """Cut the power: nothing is written back or flushed."""
        if not self.booted:
            return
        log(f"{self.name}: power cut")
        self._power_off()

    def shutdown(self):
        """Unmount, switch off, and wait for it."""
        if not self.booted:
            return
        self.connect()
        log(f"{self.name}: shutting down")
        self._shell.sendall(b"poweroff\n")
        self.wait_for_shutdown()

    def reboot(self):
        """Shut down cleanly and boot again."""
        self.shutdown()
        self.start(self._allow_reboot)

    def wait_for_shutdown(self, timeout=300):
        if not self.booted:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise MachineError(f"{self.name} did not shut down in {timeout} s") from None
        self._power_off()

    def _power_off(self):
        self._process.kill()
        self._process.wait()
        self._console.finish()
        if self.connected:
            self.console_history += self._console.lines
        for channel in (self._shell, self._monitor):
            channel.close()
        self.booted = self.connected = False

    def is_up(self):
        return self.booted and self.connected

    # Commands

    def _read_line(self):
        self._shell.settimeout(None)
        while b"\n" not in self._shell_input:
            chunk = self._shell.recv(65536)
            if not chunk:
                self._console.finish()
                raise MachineError(f"{self.name} died while it ran a command")
            self._shell_input += chunk
        line, self._shell_input = self._shell_input.split(b"\n", 1)
        return line

    def execute(self, command, check_return=True, check_output=True, timeout=900):
        """Run COMMAND in bash as root; its exit status and its stdout.

        stderr goes to the console. The call waits until stdout is closed, so a background job
        needs `>&2 &`. After TIMEOUT seconds the command is killed and the status is 124.
        """
        self.connect()
        limit = "" if timeout is None else f"timeout {timeout * self._config.slowdown} "
        inner = shlex.quote(f"set -euo pipefail; {command}")
        if not check_output:
            self._shell.sendall(f"{limit}bash -c {inner} > /dev/console\n".encode())
            return (-2, "")
        line = f"{limit}bash -c {inner} < /dev/null | (base64 -w 0; echo)\n"
        self._shell.sendall(line.encode())
        output = base64.b64decode(self._read_line()).decode(errors="replace")
        if not check_return:
            return (-1, output)
        self._shell.sendall(b"echo ${PIPESTATUS[0]}\n")
        return (int(self._read_line()), output)

    def succeed(self, *commands, timeout=None):
        """Run each command; all must have status 0. Their stdout, joined."""
        output = ""
        for each in commands:
            log(f"{self.name}: must succeed: {each}")
            status, out = self.execute(each, timeout=timeout)
            if status != 0:
                log(f"output: {out}")
                raise RequestedAssertionFailed(f"command `{each}` failed (exit code {status})")
            output += out
        return output

    def fail(self, *commands, timeout=None):
        """Run each command; none may have status 0. Their stdout, joined."""
        output = ""
        for each in commands:
            log(f"{self.name}: must fail: {each}")
            status, out = self.execute(each, timeout=timeout)
            if status == 0:
                raise RequestedAssertionFailed(f"command `{each}` unexpectedly succeeded")
            output += out
        return output

    def _wait_for_status(self, good, command, timeout):
        output = ""

        def attempt(_last):
            nonlocal output
            status, output = self.execute(command, timeout=timeout)
            return good(status)

        retry(attempt, timeout * self._config.slowdown)
        return output

    def wait_until_succeeds(self, command, timeout=900):
        log(f"{self.name}: waiting for success: {command}")
        return self._wait_for_status(lambda status: status == 0, command, timeout)

    def wait_until_fails(self, command, timeout=900):
        log(f"{self.name}: waiting for failure: {command}")
        return self._wait_for_status(lambda status: status != 0, command, timeout)

    def wait_for_unit(self, unit, user=None, timeout=900):
        if unit not in ("multi-user.target", "default.target", "local-fs.target"):
            raise RequestedAssertionFailed(f"this guest has no systemd, so no unit {unit}")
        self.connect()

    def wait_for_file(self, filename, timeout=900):
        self.wait_until_succeeds(f"test -e {shlex.quote(filename)}", timeout)

    def sleep(self, seconds):
        """Let SECONDS of the guest's time go by."""
        self.succeed(f"sleep {seconds}")

    # Console and monitor

    def wait_for_console_text(self, regex, timeout=None):
        """Wait for a console text from now on."""
        log(f"{self.name}: waiting for {regex} on the console")
        start = len(self._console.lines)
        if not self._console.wait_for(regex, timeout, start):
            raise RequestedAssertionFailed(f"no {regex} on the console")

    def get_console_log(self):
        return "\n".join(self.console_lines())

    def console_lines(self):
        """All lines of all boots that got as far as init."""
        current = self._console.lines if self.connected else []
        return self.console_history + current

    def send_console(self, chars):
        self._process.stdin.write(chars.encode())
        self._process.stdin.flush()

    def send_monitor_command(self, command):
        """Run one command of QEMU's monitor; its output."""
        self._monitor_output()
        self._monitor.sendall(command.encode() + b"\n")
        return self._monitor_output()

    def _monitor_output(self):
        text = ""
        self._monitor.settimeout(60)
        while not text.endswith("(qemu) "):
            chunk = self._monitor.recv(4096)
            if not chunk:
                return text
            text += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", chunk.decode(errors="replace"))
            if text == "":
                break
        return text.removesuffix("(qemu) ")

    # Files

    def copy_from_host(self, source, target):
        """Copy a host's file, which may be a folder, to the path TARGET in the guest."""
        source = pathlib.Path(source)
        archive = subprocess.run(
            ["tar", "c", "-C", source.parent, source.name], check=True, stdout=subprocess.PIPE
        ).stdout
        text = base64.b64encode(archive).decode()
        self.succeed("rm -rf /tmp/.copy /tmp/.copy.b64 && mkdir /tmp/.copy")
        for start in range(0, len(text), 60000):
            self.succeed(f"printf %s {text[start : start + 60000]} >> /tmp/.copy.b64")
        quoted = shlex.quote(target)
        self.succeed(
            "base64 -d /tmp/.copy.b64 | tar x -C /tmp/.copy",
            f'mkdir -p "$(dirname {quoted})"',
            f"mv -T /tmp/.copy/{shlex.quote(source.name)} {quoted}",
        )

    copy_from_host_via_shell = copy_from_host

    def copy_from_machine(self, source, target_dir=""):
        """Copy a guest's file or folder into the result's folder, below TARGET_DIR."""
        target = pathlib.Path(os.environ.get("out", os.getcwd()), target_dir)
        target.mkdir(parents=True, exist_ok=True)
        parent, name = os.path.split(source.rstrip("/"))
        text = self.succeed(f"tar c -C {shlex.quote(parent or '/')} {shlex.quote(name)} | base64 -w 0")
        subprocess.run(["tar", "x", "-C", target], input=base64.b64decode(text), check=True)

    copy_from_vm = copy_from_machine
