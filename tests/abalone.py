"""The Abalone job as it ships, and its rules as tests use them."""

from collections.abc import Sequence
from pathlib import Path

from framework import headers, lines
from framework.job_files import read_job

JOB = read_job("abalone", Path(__file__).parent.parent / "spark_jobs")
CONTRACT = JOB.contract
COLUMNS = CONTRACT.names
NUMBERS = tuple(column.name for column in CONTRACT.measured)
BINS = CONTRACT.bins
FLAGS = {"M": "1,0", "F": "0,0", "I": "0,1"}  # of each sex


def transform_line(line: str) -> tuple[str, str]:
    return lines.transform_line(line, CONTRACT)


def find_header_fault(line: str) -> str:
    return headers.find_header_fault(line, CONTRACT)


def find_wrong_header(listed: Sequence[str]) -> int:
    return headers.find_wrong_header(listed, CONTRACT)
