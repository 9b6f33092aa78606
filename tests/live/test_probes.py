"""Each probe distinguishes every answer: each switch is set to each of its values, and the probe
must detect it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.account import Account
from tests.live.catalogue import ALL_PROBES, JOB_PROBES, JUDGED_PROBES, PROBES_BY_NAME
from tests.live.expected_answers import ALLOWED, FAULT_CASES, SWITCH_ANSWERS, SWITCH_CASES
from tests.live.probe import Value
from tests.live.runner import run_probe
from tests.live.workspace import open_workspace


@pytest.mark.parametrize(
    ("name", "value"),
    [row for row in SWITCH_CASES if row[0] not in (*JOB_PROBES, *JUDGED_PROBES)],
)
def test_a_probe_detects_how_the_switch_is_set(
    in_process: Callable[..., Account], tmp_path: Path, name: str, value: Value
):
    with open_workspace(in_process(**{name: value}), tmp_path, patience=10, doubt=0) as workspace:
        workspace.set_up()

        assert run_probe(workspace, PROBES_BY_NAME[name]).value == value


@pytest.mark.parametrize(("name", "value"), ALLOWED)
def test_a_probe_sees_what_no_policy_refuses(
    in_process: Callable[..., Account], tmp_path: Path, name: str, value: Value
):
    with open_workspace(in_process(), tmp_path, patience=10, doubt=0) as workspace:
        workspace.set_up()

        assert run_probe(workspace, PROBES_BY_NAME[name]).value == value


def test_every_probe_is_tried_both_ways_the_assumed_one_first():
    other = {name: value for name, value, *_ in (*FAULT_CASES, *ALLOWED)}

    assert {name: values[0] for name, values in SWITCH_ANSWERS.items()} == {
        probe.name: probe.assumed for probe in ALL_PROBES if probe.is_switch
    }
    assert other.keys() == {probe.name for probe in ALL_PROBES if not probe.is_switch}
    assert all(len(set(values)) > 1 for values in SWITCH_ANSWERS.values())
    assert [name for name, value in other.items() if value == PROBES_BY_NAME[name].assumed] == []
