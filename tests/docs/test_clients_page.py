"""The table of examples/clients/README.md has every example, and the versions that its tests run."""

import re

import pytest

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples/clients"
TABLE = (EXAMPLES / "README.md").read_text()
LOCK = (ROOT / "locks/clients.txt").read_text()


def test_every_example_is_in_the_table():
    programs = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")}

    assert set(re.findall(r"\]\((\w+\.(?:py|sh))\)", TABLE)) == programs


@pytest.mark.parametrize(
    ("package", "written"),
    [
        ("s3fs", r"with s3fs ([\d.]+)"),
        ("polars", r"\[polars\]\([\w.]+\) ([\d.]+)"),
        ("pyarrow", r"\[pyarrow\]\([\w.]+\) ([\d.]+)"),
        ("duckdb", r"\[DuckDB\]\([\w.]+\) ([\d.]+)"),
        ("aws-s3-access-grants-boto3-plugin", r"with AWS's plugin ([\d.]+)"),
    ],
    ids=lambda value: value if value.isidentifier() else "",
)
def test_the_table_names_the_version_that_is_tested(package: str, written: str):
    (named,) = re.findall(written, TABLE)
    (locked,) = re.findall(rf"^{package}==([\d.]+)", LOCK, re.MULTILINE)

    assert f"{locked}.".startswith(f"{named}.")
