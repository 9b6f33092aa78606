"""Puts each mutant back into a copy of the product, and counts the worlds until one finds it.

python -m simulation.teeth [PART OF A NAME] [--worlds 1000]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulation.mutant import Mutant
from simulation.mutants import MUTANTS

ROOT = Path(__file__).parents[1]
PRODUCT = ROOT / "layers/grantor"
SEED = 1
COUNT = re.compile(r"^([\d,]+) worlds", re.MULTILINE)
FOUND = re.compile(r"^seed (\d+): ([a-z-]+): ", re.MULTILINE)


class MutantLost(LookupError):
    """The place that a mutant changes is not there any more, or there are several."""


@dataclass(frozen=True)
class Bite:
    """What the worlds made of one mutant: how many it took, and the promise; "" if it survived."""

    mutant: Mutant
    worlds: int
    promise: str
    seed: str = ""

    def __str__(self) -> str:
        result = f"{self.promise} (seed {self.seed})" if self.promise else "NOT FOUND"
        like = f"  [{self.mutant.like}]" if self.mutant.like else ""
        return f"{self.worlds:>6}  {self.mutant.name}: {result}{like}"


def patch_text(mutant: Mutant, text: str) -> str:
    """The module with the mutant in it. Raises MutantLost."""
    if (times := text.count(mutant.old)) != 1:
        raise MutantLost(f"{mutant.module} has {times} times what {mutant.name!r} changes")
    return text.replace(mutant.old, mutant.new)


def bite(mutant: Mutant, worlds: int, folder: Path) -> Bite:
    """Run worlds with the mutant until one breaks a promise."""
    copy = folder / "layer"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PRODUCT / "grantor", copy / "grantor", ignore=ignored)
    try:
        module = copy / "grantor" / mutant.module
        module.write_text(patch_text(mutant, module.read_text()))
        output = _run_worlds(copy, worlds)
    finally:
        shutil.rmtree(copy)
    found, count = FOUND.search(output), COUNT.search(output)
    if count is None:
        return Bite(mutant, 0, "the worlds cannot run: " + output.strip().rpartition("\n")[2])
    number = int(count[1].replace(",", ""))
    return Bite(mutant, number, found[2] if found else "", found[1] if found else "")


def _run_worlds(layer: Path, worlds: int) -> str:
    paths = os.pathsep.join(map(str, (ROOT, layer, ROOT / "sandbox/src")))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "simulation", "--stop", "--worlds", str(worlds)]
    done = subprocess.run(
        [*command, "--first", str(SEED)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def main() -> int:
    """Exits with 0 if the worlds found every mutant."""
    parser = argparse.ArgumentParser(prog="python -m simulation.teeth", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="only mutants with this in their name")
    parser.add_argument("--worlds", type=int, default=1000)
    arguments = parser.parse_args()
    bites = list(_print_bites(arguments.part, arguments.worlds))
    survivors = [one for one in bites if not one.promise]
    print(f"{len(bites) - len(survivors)} of {len(bites)} mutants were found")
    return int(bool(survivors))


def _print_bites(part: str, worlds: int) -> Iterator[Bite]:
    with tempfile.TemporaryDirectory() as folder:
        for mutant in MUTANTS:
            if part in mutant.name or part in mutant.like:
                found = bite(mutant, worlds, Path(folder))
                print(found, flush=True)
                yield found


if __name__ == "__main__":
    sys.exit(main())
