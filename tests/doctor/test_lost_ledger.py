"""docs/operations.md, A lost ledger: the page's commands, as they stand there, in a shell."""

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.process import Server
from sandbox.testing.helpers import wait_until
from tests.conftest import ROOT
from tests.doctor.conftest import Patient

PAGE = (ROOT / "docs/operations.md").read_text()
ARTICLE = (ROOT / "policy/article.yaml").read_bytes()


def read_commands(name: str) -> str:
    """The commands below `<!-- lost ledger: NAME -->`."""
    found = re.search(rf"<!-- lost ledger: {name} -->\n\n```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def granted(patient: Patient) -> Patient:
    """The stack with the article's four grants."""
    sts, steward = patient.client("sts"), patient.outputs["StewardRole"]
    keys = sts.assume_role(RoleArn=steward, RoleSessionName="steward")["Credentials"]
    patient.sandbox.client("s3", keys).put_object(
        Bucket=patient.outputs["PolicyBucket"], Key="policy/article.yaml", Body=ARTICLE
    )
    wait_until(lambda: len(list_grants(patient)) == 4, 30)
    wait_until(lambda: not patient.list_problems(), 30)
    return patient


@pytest.fixture
def mapping_is_off(granted: Patient) -> Iterator[None]:
    """No run begins meanwhile that would put messages into the dead-letter queue."""
    functions = granted.client("lambda")
    mappings = [
        one["UUID"] for one in functions.list_event_source_mappings()["EventSourceMappings"]
    ]
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def list_grants(patient: Patient) -> set[str]:
    listed: Any = patient.client("s3control").list_access_grants(AccountId="0" * 12)
    return {one["AccessGrantId"] for one in listed["AccessGrantsList"]}


def lose_ledger(patient: Patient) -> None:
    table, name = patient.client("dynamodb"), patient.outputs["Ledger"]
    table.update_table(TableName=name, DeletionProtectionEnabled=False)
    table.delete_table(TableName=name)


def run_shell(patient: Patient, commands: str) -> None:
    """Run commands with the environment that `python -m sandbox env` prints."""
    environment = Server(patient.sandbox.port).client_variables() | {
        "HOME": str(patient.config.parent),
        "LEDGER": patient.outputs["Ledger"],
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
    }
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_protected_ledger_is_not_deleted_by_one_call(granted: Patient):
    with pytest.raises(Exception, match="protected against deletion"):
        granted.client("dynamodb").delete_table(TableName=granted.outputs["Ledger"])


@pytest.mark.usefixtures("mapping_is_off")
def test_without_the_ledger_the_commands_lead_to_the_page_and_the_doctor_names_it(
    granted: Patient, capsys: pytest.CaptureFixture[str]
):
    lose_ledger(granted)
    code, _ = granted.run("status")
    said = capsys.readouterr().err
    problems = granted.list_problems()
    run_shell(granted, read_commands("restore") + read_commands("settings"))

    assert (code, "docs/operations.md, A lost ledger" in said) == (1, True)
    assert ("ledger", "failure") in problems


@pytest.mark.usefixtures("mapping_is_off")
@pytest.mark.parametrize("way", ["restore", "create"])
def test_the_commands_of_the_page_bring_the_ledger_back(granted: Patient, way: str):
    before = list_grants(granted)
    lose_ledger(granted)
    run_shell(granted, read_commands(way) + read_commands("settings"))
    ledger = {one for one, _ in granted.list_problems() if one.startswith("ledger")}
    status = granted.run("status")[1]

    assert list_grants(granted) == before
    assert ledger == set()
    assert "4 grants owned" in status
