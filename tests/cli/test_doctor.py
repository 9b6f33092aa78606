"""grantor doctor on a stack whose resources lack much: lines for people, a document for programs.

`make test-doctor` breaks a deployed stack in each way by itself.
"""

import json

import jsonschema

from tests.cli.conftest import CommandLine
from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "docs/json.schema.json").read_text())


def test_each_problem_has_its_meaning_and_its_remedy_in_both_forms(cli: CommandLine):
    document = cli.run("doctor", "--json").json
    shown = cli.run("doctor")
    wrong = [one for one in document["findings"] if one["meaning"]]

    jsonschema.validate(document, SCHEMA)
    assert {("data-bucket", "warning"), ("trail", "failure"), ("role-trust", "ok")} <= {
        (one["id"], one["severity"]) for one in document["findings"]
    }
    assert shown.code == 1
    assert [line[9:] for line in shown.lines if line.startswith(" ")] == [
        text for one in wrong for text in (f"means: {one['meaning']}", f"to do: {one['remedy']}")
    ]
    assert shown.lines[-1].startswith(f"{document['counts']['failure']} failures, ")
