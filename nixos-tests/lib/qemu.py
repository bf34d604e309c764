# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""How a machine is described, and the QEMU command line that this makes."""

import dataclasses
import pathlib
import tomllib

KERNEL_PARAMS = [
    "console=ttyS0",
    "panic=-1",  # a panic ends the machine at once: -no-reboot
    "loglevel=5",  # during boot alone: init raises it (a serial line is slow to emulate)
    "no_timer_check",
    "mitigations=auto",
    # An emulated processor on a busy host is slow, not stalled.
    "rcupdate.rcu_cpu_stall_timeout=240",
    "watchdog_thresh=60",
]


# For icount: nothing that differs from boot to boot, and no cost that a benchmark would charge
# to the file system.
STEADY_PARAMS = [
    "nokaslr",
    "norandmaps",
    "mitigations=off",
    "randomize_kstack_offset=off",
    # The clock runs ahead while the guest waits for a disk.
    "nowatchdog",
    "rcupdate.rcu_cpu_stall_suppress=1",
]


class ConfigError(Exception):
    """A scenario's data file says something that the driver does not know."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What one scenario needs, read from NAME.toml beside NAME.py; all keys are optional.

    The NixOS machine of the same scenario is made of the same file.
    """

    memory: int = 1024  # MiB
    cores: int = 2
    timeout: int = 900  # seconds for the whole scenario, all boots included
    long_timeout: int = 7200  # the same for its long version
    disks: dict[str, int] = dataclasses.field(default_factory=dict)  # serial -> MiB
    allow_console: list[str] = dataclasses.field(default_factory=list)  # see console.BAD_LINE
    kernel_params: list[str] = dataclasses.field(default_factory=list)
    icount: bool = False  # one processor whose clock counts its instructions, one per nanosecond
    slowdown: int = 1  # set by the driver alone: every limit of time is multiplied by this

    def version(self, long, slowdown):
        """The same for the long version, and for a kernel whose checkers take time and memory."""
        timeout = self.long_timeout if long else self.timeout
        memory = self.memory if slowdown == 1 else 2 * self.memory
        return dataclasses.replace(self, timeout=timeout * slowdown, memory=memory, slowdown=slowdown)

    @classmethod
    def read(cls, path):
        if not path.exists():
            return cls()
        data = tomllib.loads(path.read_text())
        known = {field.name for field in dataclasses.fields(cls)} - {"slowdown"}
        unknown = sorted(set(data) - known)
        if unknown:
            known_list = ", ".join(sorted(known))
            raise ConfigError(f"{path}: unknown key '{unknown[0]}'; known: {known_list}")
        return cls(**data)


@dataclasses.dataclass(frozen=True)
class Boot:
    """The files of one guest system: Debian's kernel and the images made for it."""

    kernel: pathlib.Path
    initrd: pathlib.Path
    guest: pathlib.Path
    system: pathlib.Path
    qemu: str = "qemu-system-x86_64"


def drive(serial, file, readonly=False):
    """A virtio disk that the guest finds as /dev/disk/by-id/virtio-SERIAL."""
    access = "on" if readonly else "off"
    return [
        "-drive",
        f"id={serial},file={file},if=none,format=raw,cache=writeback,discard=unmap,readonly={access}",
        "-device",
        f"virtio-blk-pci,drive={serial},serial={serial}",
    ]


def processor(config):
    """What the guest runs on."""
    # A /dev/kvm that exists can still hang the guest or abort QEMU, so it is never used.
    if not config.icount:
        return ["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(config.cores)]
    return [
        "-accel",
        "tcg,thread=single",
        "-icount",
        "shift=0,sleep=off,align=off",
        # The kernel would copy memory by `rep movsb`, which counts as one instruction per byte.
        "-cpu",
        "max,-erms,-fsrm",
        "-smp",
        "1",
        "-seed",
        "42",
        "-rtc",
        "base=2027-01-01T00:00:00,clock=vm",
    ]


def command(config, boot, state, reboot=False):
    """The command line; STATE is the folder with the sockets and the writable disks."""
    params = KERNEL_PARAMS + (STEADY_PARAMS if config.icount else []) + config.kernel_params
    return [
        boot.qemu,
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "q35",
        *processor(config),
        "-m",
        str(config.memory),
        *([] if reboot else ["-no-reboot"]),
        "-kernel",
        str(boot.kernel),
        "-initrd",
        str(boot.initrd),
        "-append",
        " ".join(params),
        "-serial",
        "stdio",
        "-chardev",
        f"socket,id=monitor,path={state}/monitor",
        "-mon",
        "chardev=monitor",
        "-chardev",
        f"socket,id=shell,path={state}/shell",
        "-device",
        "virtio-serial",
        "-device",
        "virtconsole,chardev=shell",
        *([] if config.icount else ["-device", "virtio-rng-pci"]),
        *drive("guest", boot.guest, readonly=True),
        *drive("system", boot.system, readonly=True),
        *(arg for serial in config.disks for arg in drive(serial, state / f"{serial}.img")),
    ]
