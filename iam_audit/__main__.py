"""`make audit-iam`: record whole runs, judge them a second time, and list the faults.

A fault is a call that is denied, or a permission that is unused and has no reason.

python -m iam_audit                 record and judge
python -m iam_audit judge FOLDER    judge what is recorded there
       ... --keep                   if there are no faults, write iam_audit/record.jsonl and
                                    docs/security.md
python -m iam_audit.page --write    write docs/security.md from templates, reasons and that record
"""

import argparse
import sys
from pathlib import Path

from iam_audit import page
from iam_audit.audit_report import AuditReport, build_report
from iam_audit.judge import judge_requests
from iam_audit.kept_record import KEPT_FILE, encode_record
from iam_audit.permissions import read_holders
from iam_audit.reasons import load_reasons
from iam_audit.recording import RECORD_FOLDER, read_record, record_runs


def main() -> int:
    """Run the command; 0 if there are no faults, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m iam_audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=["all", "judge"],
        default="all",
        help="all: record, then judge (default)",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=RECORD_FOLDER, help="the folder of the record"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the record, and write docs/security.md"
    )
    chosen = parser.parse_args()
    if chosen.command == "all":
        record_runs(chosen.folder)
    report, lines = audit_folder(chosen.folder)
    if not report.faults and chosen.keep:
        KEPT_FILE.write_text("".join(f"{line}\n" for line in lines))
        page.write_page()
    print_report(report)
    return 1 if report.faults else 0


def audit_folder(folder: Path) -> tuple[AuditReport, list[str]]:
    """The report of all that is recorded below the folder, and the lines to keep of it."""
    paths = sorted(folder.rglob("*.jsonl"))
    lines = (line for path in paths for line in path.read_text().splitlines())
    holders = read_holders()
    record = read_record(lines, holders)
    judged = judge_requests(record)
    report = build_report(record, judged, holders, load_reasons())
    return report, list(encode_record(record, judged, holders, report.summary))


def print_report(report: AuditReport) -> None:
    """Print what is unused with a reason, every fault, and the summary."""
    for permission, why in report.unused.items():
        if why:
            print(f"unused: {permission}: {why}")
    for fault in report.faults:
        print(f"✗ {fault}")
    print(report.summary)


if __name__ == "__main__":
    sys.exit(main())
