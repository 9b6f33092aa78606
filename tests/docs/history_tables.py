"""The tables and questions of docs/history.sql."""

import re
from dataclasses import dataclass

from tests.conftest import ROOT

TEXT = re.sub(r"^--.*$", "", (ROOT / "docs/history.sql").read_text(), flags=re.MULTILINE)
STATEMENTS = [one.strip() for one in TEXT.split(";") if one.strip()]
QUESTIONS = [one for one in STATEMENTS if one.startswith("SELECT")]


@dataclass(frozen=True)
class HistoryTable:
    """A table: its name, the types of its columns, where its objects are, and each day's place."""

    name: str
    columns: dict[str, str]
    location: str
    template: str
    is_partitioned: bool


def parse_table(statement: str) -> HistoryTable:
    name = re.findall(r"EXISTS (\w+)", statement)[0]
    columns = dict(re.findall(r"^  `(\w+)` (\S+?),?$", statement, flags=re.MULTILINE))
    (location,) = re.findall(r"LOCATION '(.*?)'", statement)
    template = re.findall(r"'storage.location.template' = '(.*?)'", statement)
    is_partitioned = "PARTITIONED BY (`day` string)" in statement
    return HistoryTable(name, columns, location, "".join(template), is_partitioned)


TABLES = [parse_table(one) for one in STATEMENTS if one.startswith("CREATE EXTERNAL TABLE")]
