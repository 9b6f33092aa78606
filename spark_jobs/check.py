"""Show what a job would make of a file: `spark_jobs/check.py FILE [--job NAME]`.

Needs no Spark and no AWS. Exits with 12, as the job does, if the file has not the format that the
contract names, if its first line breaks the contract, or if a header below it names the columns in
another order; and with 2 if the contract has faults, which it lists.
"""

import argparse
import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from framework.contract import Contract
from framework.descriptor import ContractError
from framework.exits import ARGUMENTS, CONTRACT, DONE
from framework.first_bytes import SNIFFED_BYTES, find_first_bytes_fault
from framework.formatting import print_line, show_text
from framework.headers import find_first_line_fault, find_wrong_header, read_column_names
from framework.job_files import read_job
from framework.lines import split_lines, transform_line

MAX_SHOWN_CHARS = 60  # characters of a refused line that are shown
SPLITS = {
    "train": "to train on",
    "validation": "to validate with",
    "data": "for the script",
    "quarantine": "in quarantine",
}
DEFAULT_JOB = "abalone"
NO_PARQUET = "check.py reads lines of text, and the contract is for Parquet"


class WrongFile(Exception):
    """The file is not what the contract names; the text says why."""


def summarize_file(listed: list[str], contract: Contract, max_refused: int) -> Iterator[str]:
    """Yield the counts, the counts by reason, and the first `max_refused` refused lines.

    Each refused line has its number, counted from 1, and its reason.
    """
    results = [transform_line(line, contract) for line in listed]
    rows = Counter(split for split, _ in results)
    refused = [
        (number, *text.partition("\t")[::2])
        for number, (split, text) in enumerate(results, 1)
        if split == "quarantine"
    ]
    made = ("train", "validation") if contract.features else ("data",)
    labels = {split: SPLITS[split] for split in (*made, "quarantine")}
    labels |= {"header": "skipped as header"} if rows["header"] else {}
    yield f"{len(results):,} lines: " + ", ".join(
        f"{rows[split]:,} {label}" for split, label in labels.items()
    )
    for reason, count in Counter(reason for _, reason, _ in refused).most_common():
        yield f"{count:>9,}  {reason}"
    for number, reason, line in islice(refused, max_refused):
        yield f"line {number:,}: {reason}: {escape_line(line)}"
    if len(refused) > max_refused:
        yield f"… and {len(refused) - max_refused:,} more"


def compare_header(number: int, line: str, contract: Contract) -> Iterator[str]:
    """Yield the columns that a header line names beside those of the contract, as a table."""
    names = [escape_line(name) for name in read_column_names(line, contract)]
    if not names:
        yield f"line {number:,}: {find_first_line_fault(line, contract)}"
        return
    width = max(map(len, names))
    yield f"line {number:,} names other columns than the contract, or in another order:"
    yield f"  column  {'in the file':<{max(width, 11)}}  in the contract"
    for at, (name, wanted) in enumerate(zip_longest(names, contract.names, fillvalue="-"), 1):
        yield f"  {at:>6}  {name:<{max(width, 11)}}  {wanted}"


def escape_line(line: str) -> str:
    r"""Return a line in a form that can be printed.

    >>> escape_line("M,0.4\x1b"), escape_line("\udcff" * 100)[-5:]
    ('M,0.4\\x1b', 'dcff…')
    """
    escaped = show_text(line)
    return escaped if len(escaped) <= MAX_SHOWN_CHARS else f"{escaped[:MAX_SHOWN_CHARS]}…"


def read_lines(content: bytes, contract: Contract) -> list[str]:
    """Return the lines of a file. Raises WrongFile if it has not the contract's format."""
    if not contract.is_text:
        raise WrongFile(NO_PARQUET)
    if fault := find_first_bytes_fault(content[:SNIFFED_BYTES], contract):
        raise WrongFile(f"the file {fault}")
    if contract.compression:
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise WrongFile(f"the file is damaged: gzip cannot decompress it ({error})") from error
    return list(split_lines(content))


def check_file(content: bytes, contract: Contract, max_refused: int) -> int:
    """Print what the job would make of a file, and return the exit code."""
    try:
        listed = read_lines(content, contract)
    except WrongFile as fault:
        print_line(str(fault))
        return CONTRACT
    wrong = find_wrong_header(listed, contract)
    said = compare_header(wrong, listed[wrong - 1], contract) if wrong else None
    for line in said or summarize_file(listed, contract, max_refused):
        print_line(line)
    return CONTRACT if wrong else DONE


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="check.py", description=__doc__)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a file that the job's contract describes"
    )
    parser.add_argument(
        "--job", default=DEFAULT_JOB, metavar="NAME",
        help=f"a folder in spark_jobs/ with a job.yaml (default: {DEFAULT_JOB})",
    )  # fmt: skip
    parser.add_argument(
        "-n", type=int, default=10, dest="max_refused", metavar="N",
        help="refused lines to show (default: 10)",
    )  # fmt: skip
    return parser


def main() -> int:
    arguments = _build_parser().parse_args()
    try:
        contract = read_job(arguments.job).contract
        content = arguments.file.read_bytes()
    except ContractError as error:
        for line in str(error).splitlines():
            print_line(line, sys.stderr)
        return ARGUMENTS
    except ImportError:
        why = "PyYAML is not installed here: run make setup, and use .venv/bin/python"
        print_line(f"check.py: {why}", sys.stderr)
        return ARGUMENTS
    except OSError as error:
        print_line(f"check.py: cannot read {arguments.file}: {error.strerror}", sys.stderr)
        return ARGUMENTS
    return check_file(content, contract, arguments.max_refused)


if __name__ == "__main__":
    sys.exit(main())
