from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cervseg.core.machine import SystemFiles, memory_bytes, num_cores
from cervseg.planning.hardware import Accelerator, detect_hardware, torch_accelerator

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path: Path) -> SystemFiles:
    """An invented Linux: 32 GiB, no limits, no devices."""
    files = SystemFiles(
        cgroup_root=tmp_path / "cgroup",
        own_cgroups=tmp_path / "own",
        cpuinfo=tmp_path / "cpuinfo",
        meminfo=tmp_path / "meminfo",
        devices=tmp_path / "dev",
    )
    write(files.meminfo, f"MemTotal:       {32 * GIB // 1024} kB\nMemFree: 1 kB\n")
    write(files.own_cgroups, "0::/jobs/mine\n")
    return files


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine the tests run on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)), raising=False)


def write(path: Path, text: str) -> None:
    """Write ``text``, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_no_limits(machine: SystemFiles) -> None:
    """Without control groups the affinity and the total memory count."""
    assert num_cores(machine) == 16
    assert memory_bytes(machine) == 32 * GIB


def test_version_2_limits_of_any_group_above(machine: SystemFiles) -> None:
    """The tightest limit on the way up holds; "max" is no limit."""
    write(machine.cgroup_root / "jobs/mine/cpu.max", "max 100000\n")
    write(machine.cgroup_root / "jobs/cpu.max", "250000 100000\n")
    write(machine.cgroup_root / "jobs/mine/memory.max", "max\n")
    write(machine.cgroup_root / "jobs/memory.max", f"{8 * GIB}\n")
    assert num_cores(machine) == 2
    assert memory_bytes(machine) == 8 * GIB


def test_version_1_limits(machine: SystemFiles) -> None:
    """Version 1 keeps quota and period apart; -1 and its huge number are no limits."""
    write(machine.own_cgroups, "4:memory:/box\n2:cpu,cpuacct:/box\n")
    write(machine.cgroup_root / "cpu/box/cpu.cfs_quota_us", "400000\n")
    write(machine.cgroup_root / "cpu/box/cpu.cfs_period_us", "100000\n")
    write(machine.cgroup_root / "cpu/cpu.cfs_quota_us", "-1\n")
    write(machine.cgroup_root / "cpu/cpu.cfs_period_us", "100000\n")
    write(machine.cgroup_root / "memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(machine.cgroup_root / "memory/box/memory.limit_in_bytes", f"{4 * GIB}\n")
    assert num_cores(machine) == 4
    assert memory_bytes(machine) == 4 * GIB


def test_a_container_that_sees_its_group_as_the_root(machine: SystemFiles) -> None:
    """The group named in /proc may not be mounted: then the root's limits are ours."""
    write(machine.cgroup_root / "cpu.max", "50000 100000\n")
    assert num_cores(machine) == 1


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx2", False)]
)
def test_processor_without_accelerator(machine: SystemFiles, flags: str, expected: bool) -> None:
    """bfloat16 is read from the processor's flags."""
    write(machine.cpuinfo, f"processor : 0\nflags\t\t: {flags}\n")
    found = detect_hardware(files=machine, find_accelerator=lambda _files: None)
    assert (found.accelerator, found.bfloat16, found.ram_gib) == ("cpu", expected, 32.0)


def test_an_accelerator_is_reported(machine: SystemFiles) -> None:
    """Its name, memory and bfloat16 go before the processor's."""
    card = Accelerator(kind="cuda", name="Some GPU", memory_gib=11.7581, bfloat16=False)
    found = detect_hardware(files=machine, find_accelerator=lambda _files: card)
    assert (found.accelerator, found.accelerator_name) == ("cuda", "Some GPU")
    assert (found.accelerator_memory_gib, found.bfloat16) == (11.76, False)


@pytest.mark.skipif(sys.platform != "linux", reason="device nodes are Linux's")
def test_torch_is_not_imported_without_a_device(
    machine: SystemFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without device nodes is not asked to import torch."""
    monkeypatch.setitem(sys.modules, "torch", None)  # an import would fail ...
    assert torch_accelerator(machine) is None
    write(machine.devices / "nvidia0", "")
    assert torch_accelerator(machine) is None  # ... and a failing import means no accelerator


def test_this_machine() -> None:
    """Detection works where the tests run."""
    found = detect_hardware()
    assert found.num_cores >= 1
    assert found.ram_gib > 0
    assert found.accelerator in ("cpu", "cuda", "mps")
