"""A change is begun by a run that is killed after a chosen call, and ended by an ordinary run."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from grantor.core.triggers import Trigger
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from sandbox.testing.helpers import call_control
from tests.crash.auditor import Auditor
from tests.crash.changes import Change
from tests.crash.invariants import Promise
from tests.crash.runs import PATIENCE, Runs
from tests.crash.start import Start
from tests.crash.warm import LONG, clients
from tests.engine.watch import Ahead
from tests.estate import Estate

LEASE = 61.0  # seconds after which the lease of a run that died is over
NOTHING = Trigger(
    "data", ("data s3://elsewhere/",)
)  # concerns no rule: a run that it rings has only what waited
READS = ("Describe", "Get", "List", "Query", "Scan")
OFTEN = 0.004  # seconds between two looks at whether the call was made


class Kills:
    """One change, from one starting point, as often as is asked.

    `calls` are those of a run that nobody kills, in their order; `undisturbed` is what did not hold
    then; `killed` counts.
    """

    def __init__(self, estate: Estate, change: Change, runs: Runs) -> None:
        self._estate, self._change, self._runs = estate, change, runs
        self._auditor = Auditor(estate)
        before = self._auditor.table()
        self._token = before.lease["token"]
        self._promise = Promise.now(
            self._auditor, change.new, before.accepted if change.waits else self._auditor.files()
        )
        self._start = Start(estate)
        self._ahead = change.at.timestamp() - time.time() if change.at else 0.0
        self._clients = clients(estate.config)
        self._clients.s3control.meta.events.register("after-call.s3-control", self._look)
        self._broken: list[str] = []
        self._lasting: dict[tuple[str, str], Any] = {}
        self.killed = 0
        self.calls = self._called()
        self.undisturbed = self.broken()

    @property
    def writes(self) -> list[int]:
        """The numbers of the calls that change anything, the first being 1."""
        return [
            number
            for number, call in enumerate(self.calls, 1)
            if not call.split()[1].startswith(READS)
        ]

    def broken(self, *after: int) -> list[str]:
        """What did not hold when a run was killed after so many calls, the next one too if asked,
        and then one ordinary run came.
        """
        self._begin(*after)
        self._broken += self._promise.broken_after_a_kill(self._auditor)
        self._ordinary(self._ahead + len(after) * LEASE)
        self._broken += self._promise.broken_in_the_end(self._auditor)
        self._broken += self._otherwise(self._auditor.table().lasting)
        made = {(call["service"], call["operation"]) for call in self._record()}
        self._broken += [
            f"{' '.join(call)} was never called" for call in self._change.calls if call not in made
        ]
        return list(dict.fromkeys(self._broken))

    def _called(self) -> list[str]:
        self._begin()
        return [f"{call['service']} {call['operation']}" for call in self._record()]

    def _begin(self, *after: int) -> None:
        self._start.again()
        self._broken = []
        for number, calls in enumerate(after or (0,)):
            self._run(
                self._next_triggers() if number else self._change.triggers,
                self._ahead + number * LEASE,
                calls,
            )

    def _run(self, triggers: Sequence[Trigger], ahead: float, after: int) -> None:
        """A run that is killed when so many calls are done and the last is not yet answered; 0 lets
        it live, too few do as well.
        """
        stall = {"service": "*", "operation": "*", "kind": "stall", "after": after - 1, "times": 1}
        self._estate.faults(*([stall] if after else []), *self._change.faults)
        try:
            self._kill(self._runs.begin(triggers, ahead), at_all=after > 0)
        finally:
            self._estate.faults()

    def _kill(self, run: int, at_all: bool) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ended = self._runs.over(OFTEN)
            if ended is not None:
                self._broken += [f"the run failed with {ended}"] if ended else []
                return
            if at_all and call_control(self._estate.sandbox, "faults")["rules"][0]["struck"]:
                break
        else:
            self._broken.append(f"the run took more than {PATIENCE:.0f} s")
        self._runs.kill(run)
        self.killed += 1

    def _ordinary(self, ahead: float) -> None:
        """One run after the dead one's lease is over, looked at after each of its calls to Access
        Grants.
        """
        world = Ahead(self._estate.names, self._clients, ahead=ahead)
        reports = run_until_drained(
            world, self._next_triggers(), world.clock() + LONG, partial(publish_quietly, world)
        )
        self._broken += (
            [] if len(reports) == 1 else [f"one run was due, and there were {len(reports)}"]
        )

    def _next_triggers(self) -> Sequence[Trigger]:
        """The next triggers. Those of before come again only if their sender still has them, or a
        dead run had sent them.
        """
        unheard = self._auditor.table().lease["token"] == self._token
        sent = any(call["operation"] == "SendMessage" for call in self._record())
        return [NOTHING, *(self._change.triggers if unheard or sent else ())]

    def _look(self, **_: Any) -> None:
        self._broken += self._promise.broken_now(self._auditor.grants())

    def _otherwise(self, lasting: dict[tuple[str, str], Any]) -> list[str]:
        """What is written down otherwise than the first time, when nobody was killed."""
        self._lasting = self._lasting or lasting
        keys = sorted(self._lasting.keys() | lasting.keys())
        found = [(" ".join(key), lasting.get(key), self._lasting.get(key)) for key in keys]
        return [
            f"the table has for {key}: {now}, and without a kill: {then}"
            for key, now, then in found
            if now != then
        ]

    def _record(self) -> list[dict[str, Any]]:
        return call_control(self._estate.sandbox, "calls?record=1")
