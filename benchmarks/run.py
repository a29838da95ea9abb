"""Compare cervseg with its peers, one process per benchmark; writes docs/speed.md and results.json.

make bench                                   all but the slow ones; close other programs first
make bench ROWS="losses hd95"                only these; the others keep their last results
make bench ROWS=quality                      a slow one, 45 minutes

The first run also trains the networks for prediction, which takes another 30 minutes.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROWS = (
    "encoder",
    "prediction",
    "step",
    "losses",
    "hd95",
    "augmentation",
    "preparing",
    "unet",
    "quality",
    "start",
)
SLOW = ("quality",)
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
MARKS = ("<!-- speed -->", "<!-- /speed -->")
PACKAGES = (
    "torch",
    "monai",
    "segment-anything",
    "nnunetv2",
    "batchgenerators",
    "numpy",
    "scipy",
    "opencv-python-headless",
)


def main() -> None:
    """Run the named benchmarks, or all but the slow ones, and write all rows measured so far."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="NAME", help=f"benchmarks: {', '.join(ROWS)}")
    parser.add_argument("--repeats", type=int, default=5, help="measurements per benchmark (default: 5)")
    parser.add_argument("--here", choices=ROWS, help="run this benchmark in this process and print JSON")
    options = parser.parse_args()
    if options.here:
        rows = importlib.import_module(f"benchmarks.rows.{options.here}").measure(repeats=options.repeats)
        print(json.dumps([row.as_json() for row in rows]))
        return
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"unknown benchmark {min(unknown)!r}; known: {', '.join(ROWS)}")
    known: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    failed = False
    for name in options.rows or [name for name in ROWS if name not in SLOW]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.run", "--here", name, "--repeats", str(options.repeats)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{name} failed with exit code {done.returncode}", file=sys.stderr)
            failed = True
            continue
        known[name] = {"measured": _where(), "rows": json.loads(done.stdout)}
        RESULTS.write_text(json.dumps(known, indent=2) + "\n")
    print(table(known))
    write_table(table(known), PAGE)
    sys.exit(failed)


def table(known: dict[str, Any]) -> str:
    """Format every row as a Markdown table, in the order of the benchmarks."""
    lines = [
        "| task | peer | cervseg | peer's | ratio | goal | same result? |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ROWS:
        for row in known.get(name, {}).get("rows", []):
            unit = row["unit"]
            mark = "" if row["is_reached"] else " (missed)"
            lines.append(
                f"| {row['work']} | {row['peer']} | {_number(row['median_ours'])} {unit} | "
                f"{_number(row['median_theirs'])} {unit} | **{row['ratio']:.1f}**{mark} | {row['reach']:g} | "
                f"{'yes' if row['is_same'] else 'NO'}: {row['agreement']} |"
            )
    return "\n".join(lines)


def write_table(lines: str, page: Path) -> None:
    """Replace the table between the two marks of a page.

    Args:
        lines: the new table.
        page: the Markdown file.

    Raises:
        ValueError: a mark is missing.
    """
    before, mark, rest = page.read_text().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise ValueError(f"{page} must contain {' and '.join(MARKS)}")
    page.write_text(f"{before}{mark}\n{lines}\n{end}{after}")


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _where() -> dict[str, Any]:
    """Describe the machine, the versions and the date."""
    cpu = platform.processor() or platform.machine()
    path = Path("/proc/cpuinfo")
    if path.is_file():
        names = [
            line.partition(":")[2].strip() for line in path.read_text().splitlines() if "model name" in line
        ]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    return {
        "machine": cpu,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "date": datetime.date.today().isoformat(),
    }


if __name__ == "__main__":
    main()
