"""`make rights`: record whole runs, judge them a second time, and list what is denied, unused or without a reason.

python -m privilege                 record and judge
python -m privilege judge FOLDER    judge what has been recorded there
       ... --keep                   if all is as it should be, put it into privilege/record.jsonl and docs/security.md
python -m privilege.page --write    put what templates, reasons and that record say today into docs/security.md
"""

import argparse
import sys
from pathlib import Path

from privilege import page
from privilege.judge import judge
from privilege.kept import FILE, keep
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
    said.add_argument("--keep", action="store_true", help="if all is as it should be, keep it, and say it in docs/security.md")
    asked = said.parse_args()
    if asked.verb == "all":
        record(asked.folder)
    made, lines = judged(asked.folder)
    if made.good and asked.keep:
        FILE.write_text("".join(f"{line}\n" for line in lines))
        page.write()
    return tell(made)


def judged(folder: Path) -> tuple[Report, list[str]]:
    """The report of all that is recorded in the folder and below it, and what is to be kept of it."""
    lines = (line for path in sorted(folder.rglob("*.jsonl")) for line in path.read_text().splitlines())
    there = holders()
    recorded = read(lines, there)
    verdicts = judge(recorded)
    made = report(recorded, verdicts, there, load())
    return made, list(keep(recorded, verdicts, there, made.summary))


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
