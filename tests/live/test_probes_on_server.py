"""Probes that need more than the service: evaluated policies, running jobs, and faults where there
is no switch.
"""

from typing import Any

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox
from tests.live.catalogue import JOB_PROBES, JUDGED_PROBES, PROBES_BY_NAME
from tests.live.expected_answers import ALLOWED, FAULT_CASES, SWITCH_CASES
from tests.live.probe import Value
from tests.live.runner import run_probe
from tests.live.workspace import Workspace


@pytest.mark.parametrize(
    ("name", "value"), [row for row in SWITCH_CASES if row[0] in (*JOB_PROBES, *JUDGED_PROBES)]
)
def test_a_probe_of_jobs_or_of_rights_detects_how_the_switch_is_set(
    on_server: Sandbox, workspace: Workspace, name: str, value: Value
):
    call_control(on_server, "faults", "POST", {"switches": {name: value}})

    assert run_probe(workspace, PROBES_BY_NAME[name]).value == value


@pytest.mark.parametrize(
    ("name", "value", "fault"), FAULT_CASES, ids=[row[0] for row in FAULT_CASES]
)
def test_a_probe_without_a_switch_distinguishes_the_assumed_answer_from_another(
    on_server: Sandbox, workspace: Workspace, name: str, value: Value, fault: dict[str, Any]
):
    assumed = run_probe(workspace, PROBES_BY_NAME[name]).value
    call_control(on_server, "faults", "POST", {"rules": [fault]})
    seen = run_probe(workspace, PROBES_BY_NAME[name]).value
    call_control(on_server, "faults", "DELETE")

    assert (assumed, seen) == (PROBES_BY_NAME[name].assumed, value)


@pytest.mark.parametrize("name", [row[0] for row in ALLOWED])
def test_a_probe_sees_what_policies_refuse(workspace: Workspace, name: str):
    assert run_probe(workspace, PROBES_BY_NAME[name]).value == PROBES_BY_NAME[name].assumed
