"""What the processor can do, without asking torch."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is Arm's name


def cpu_has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Does the CPU multiply bfloat16 natively? Unknown (no /proc) counts as no."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return False
    for line in text.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return bool(_BFLOAT16_FLAGS & set(flags.split()))
    return False
