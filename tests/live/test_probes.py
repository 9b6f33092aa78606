"""A probe is believed when it tells every answer from every other: each switch is set to each of its values, and the probe asked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.account import Account
from tests.live.asking import asked
from tests.live.catalogue import ALL, BY_NAME, JOBS
from tests.live.ground import ground
from tests.live.probe import Value
from tests.live.ways import ALLOWED, BOTH, OTHERWISE, WAYS


@pytest.mark.parametrize(("name", "value"), [row for row in BOTH if row[0] not in JOBS])
def test_a_probe_tells_how_the_switch_is_set(inside: Callable[..., Account], tmp_path: Path, name: str, value: Value):
    with ground(inside(**{name: value}), tmp_path, patience=10, doubt=0) as here:
        here.open()

        assert asked(here, BY_NAME[name]).value == value


@pytest.mark.parametrize(("name", "value"), ALLOWED)
def test_a_probe_sees_what_no_policy_refuses(inside: Callable[..., Account], tmp_path: Path, name: str, value: Value):
    with ground(inside(), tmp_path, patience=10, doubt=0) as here:
        here.open()

        assert asked(here, BY_NAME[name]).value == value


def test_every_probe_is_tried_both_ways_the_assumed_one_first():
    other = {name: value for name, value, *_ in (*OTHERWISE, *ALLOWED)}

    assert {name: values[0] for name, values in WAYS.items()} == {probe.name: probe.assumed for probe in ALL if probe.switch}
    assert other.keys() == {probe.name for probe in ALL if not probe.switch}
    assert all(len(set(values)) > 1 for values in WAYS.values())
    assert [name for name, value in other.items() if value == BY_NAME[name].assumed] == []
