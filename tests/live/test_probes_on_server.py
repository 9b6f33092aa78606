"""The same of probes that need more than the service: policies that are judged, jobs that run, and faults where there is no switch."""

from typing import Any

import pytest

from tests.conftest import Sandbox
from tests.live.asking import asked
from tests.live.catalogue import BY_NAME, JOBS
from tests.live.ground import Ground
from tests.live.probe import Value
from tests.live.ways import ALLOWED, BOTH, OTHERWISE
from tests.sandbox.desk import ask


@pytest.mark.parametrize(("name", "value"), [row for row in BOTH if row[0] in JOBS])
def test_a_probe_of_jobs_tells_how_the_switch_is_set(on_server: Sandbox, here: Ground, name: str, value: Value):
    ask(on_server, "faults", "POST", {"switches": {name: value}})

    assert asked(here, BY_NAME[name]).value == value


@pytest.mark.parametrize(("name", "value", "fault"), OTHERWISE, ids=[row[0] for row in OTHERWISE])
def test_a_probe_without_a_switch_tells_what_is_assumed_from_something_else(
    on_server: Sandbox, here: Ground, name: str, value: Value, fault: dict[str, Any]
):
    assumed = asked(here, BY_NAME[name]).value
    ask(on_server, "faults", "POST", {"rules": [fault]})
    seen = asked(here, BY_NAME[name]).value
    ask(on_server, "faults", "DELETE")

    assert (assumed, seen) == (BY_NAME[name].assumed, value)


@pytest.mark.parametrize("name", [row[0] for row in ALLOWED])
def test_a_probe_sees_what_policies_refuse(here: Ground, name: str):
    assert asked(here, BY_NAME[name]).value == BY_NAME[name].assumed
