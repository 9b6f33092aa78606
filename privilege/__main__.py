"""`make rights`: record whole runs, judge them a second time, and list what is denied, unused or without a reason.

python -m privilege                 record and judge
python -m privilege judge FOLDER    judge what has been recorded there
python -m privilege.page --write    put what template and reasons say today into docs/security.md
"""

import argparse
import sys
from pathlib import Path

from privilege.judge import judge
from privilege.permissions import holders
from privilege.reasons import load
from privilege.record import FOLDER, record
from privilege.recorded import read
from privilege.verdict import Report, report


def main() -> int:
    said = argparse.ArgumentParser(
        prog="python -m privilege", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    said.add_argument("verb", nargs="?", choices=["all", "judge"], default="all", help="what to do; all: record, then judge")
    said.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where the record is")
    asked = said.parse_args()
    if asked.verb == "all":
        record(asked.folder)
    return tell(judged(asked.folder))


def judged(folder: Path) -> Report:
    """The report of all that is recorded in the folder and below it."""
    lines = (line for path in sorted(folder.rglob("*.jsonl")) for line in path.read_text().splitlines())
    there = holders()
    kept = read(lines, there)
    return report(kept, judge(kept), there, load())


def tell(made: Report) -> int:
    """Print the report; 0 if all is as it should be."""
    for permission, why in made.unused.items():
        if why:
            print(f"unused: {permission}: {why}")
    for fault in (*made.denied, *made.misfits, *made.wide, *made.unexplained, *made.stale):
        print(f"✗ {fault}")
    print(made.summary)
    return int(not made.good)


if __name__ == "__main__":
    sys.exit(main())
