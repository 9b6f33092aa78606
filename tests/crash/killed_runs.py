"""Start a change with a run that is killed after a chosen call; complete it with another run."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from grantor.core.triggers import Trigger
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from sandbox.testing.helpers import call_control
from tests.crash.aws_state import AwsState
from tests.crash.changes import Change
from tests.crash.fork_server import RUN_SECONDS, build_clients
from tests.crash.forked_runs import TIMEOUT_SECONDS, ForkedRuns
from tests.crash.invariants import Invariants, check_history
from tests.crash.starting_point import StartingPoint
from tests.engine.helpers import ServicesAhead
from tests.grantor_setup import GrantorSetup

SECONDS_AFTER_LEASE = 61.0  # the lease of a dead run is over by then
UNRELATED_TRIGGER = Trigger(
    "data", ("data s3://elsewhere/",)
)  # no rule uses it: its run has only what was pending
READ_PREFIXES = ("Describe", "Get", "List", "Query", "Scan")
POLL_SECONDS = 0.004  # between two checks whether the call was made


class KilledRuns:
    """Repeats one change from one starting point.

    `calls` are those of a run without a kill, in order; `violations_without_kill` are what did not
    hold then; `kill_count` counts the kills.
    """

    def __init__(self, setup: GrantorSetup, change: Change, runs: ForkedRuns) -> None:
        self._setup, self._change, self._runs = setup, change, runs
        self._state = AwsState(setup)
        before = self._state.read_table()
        self._token = before.lease["token"]
        self._invariants = Invariants.capture(
            self._state,
            change.expected_grants,
            before.accepted_files if change.needs_approval else self._state.list_policy_files(),
        )
        self._start = StartingPoint(setup)
        self._seconds_ahead = change.at.timestamp() - time.time() if change.at else 0.0
        self._clients = build_clients(setup.config, setup.sandbox.root_keys)
        self._clients.s3control.meta.events.register("after-call.s3-control", self._check_grants)
        self._violations: list[str] = []
        self._own_before: set[str] = set()  # ids
        self._data_without_kill: dict[tuple[str, str], Any] = {}
        self.kill_count = 0
        self.calls = self._record_calls()
        self.violations_without_kill = self.find_violations()

    @property
    def write_numbers(self) -> list[int]:
        """The numbers of the write calls, counted from 1."""
        return [
            number
            for number, call in enumerate(self.calls, 1)
            if not call.split()[1].startswith(READ_PREFIXES)
        ]

    def find_violations(self, *after: int) -> list[str]:
        """Kill a run after so many calls, and the next one likewise; then run to the end.

        Return every invariant that did not hold.
        """
        self._restore_and_kill(*after)
        self._violations += self._invariants.check_after_kill(self._state)
        self._run_to_the_end(self._seconds_ahead + len(after) * SECONDS_AFTER_LEASE)
        self._violations += self._invariants.check_settled(self._state)
        self._violations += check_history(self._state, self._own_before, self._start.history)
        self._violations += self._compare_with_run_without_kill(
            self._state.read_table().data_of_no_run
        )
        made = {(call["service"], call["operation"]) for call in self._list_calls()}
        self._violations += [
            f"{' '.join(call)} was never called"
            for call in self._change.required_calls
            if call not in made
        ]
        return list(dict.fromkeys(self._violations))

    def _record_calls(self) -> list[str]:
        self._restore_and_kill()
        return [f"{call['service']} {call['operation']}" for call in self._list_calls()]

    def _restore_and_kill(self, *after: int) -> None:
        self._start.restore()
        self._own_before = self._state.select_own_ids(self._state.list_grants())
        self._setup.reset_call_counts()
        self._violations = []
        for number, calls in enumerate(after or (0,)):
            self._run_until_call(
                self._select_next_triggers() if number else self._change.triggers,
                self._seconds_ahead + number * SECONDS_AFTER_LEASE,
                calls,
            )

    def _run_until_call(self, triggers: Sequence[Trigger], ahead: float, after: int) -> None:
        """Start a run, and kill it when so many calls are done and the last has no response.

        With 0, or more calls than it makes, the run ends by itself.
        """
        stall = {"service": "*", "operation": "*", "kind": "stall", "after": after - 1, "times": 1}
        self._setup.set_faults(*([stall] if after else []), *self._change.faults)
        try:
            self._kill_at_call(self._runs.start(triggers, ahead), at_all=after > 0)
        finally:
            self._setup.set_faults()

    def _kill_at_call(self, run: int, at_all: bool) -> None:
        until = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < until:
            ended = self._runs.poll(POLL_SECONDS)
            if ended is not None:
                self._violations += [f"the run failed with {ended}"] if ended else []
                return
            if at_all and call_control(self._setup.sandbox, "faults")["rules"][0]["struck"]:
                break
        else:
            self._violations.append(f"the run took more than {TIMEOUT_SECONDS:.0f} s")
        self._runs.kill(run)
        self.kill_count += 1

    def _run_to_the_end(self, ahead: float) -> None:
        """Run after the dead run's lease; check the grants after each call to Access Grants."""
        services = ServicesAhead(self._setup.names, self._clients, seconds_ahead=ahead)
        reports = run_until_drained(
            services,
            self._select_next_triggers(),
            services.clock() + RUN_SECONDS,
            partial(publish_quietly, services),
        )
        self._violations += (
            [] if len(reports) == 1 else [f"one run was due, and there were {len(reports)}"]
        )

    def _select_next_triggers(self) -> Sequence[Trigger]:
        """Select the next triggers.

        Earlier ones are repeated only if SQS still has them or a dead run had sent them.
        """
        unheard = self._state.read_table().lease["token"] == self._token
        sent = any(call["operation"] == "SendMessage" for call in self._list_calls())
        return [UNRELATED_TRIGGER, *(self._change.triggers if unheard or sent else ())]

    def _check_grants(self, **_: Any) -> None:
        self._violations += self._invariants.check_grants(self._state.list_grants())

    def _compare_with_run_without_kill(self, lasting: dict[tuple[str, str], Any]) -> list[str]:
        """Compare the table with that of the first time, without a kill."""
        self._data_without_kill = self._data_without_kill or lasting
        keys = sorted(self._data_without_kill.keys() | lasting.keys())
        found = [
            (" ".join(key), lasting.get(key), self._data_without_kill.get(key)) for key in keys
        ]
        return [
            f"the table has for {key}: {now}, and without a kill: {then}"
            for key, now, then in found
            if now != then
        ]

    def _list_calls(self) -> list[dict[str, Any]]:
        return call_control(self._setup.sandbox, "calls?record=1")
