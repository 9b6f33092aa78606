"""Probes are asked, one after the other; what each has made is gone before the next."""

from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from tests.live.ground import Ground
from tests.live.probe import Finding, NotHere, Open, Probe
from tests.live.waiting import Late


def asked(here: Ground, probe: Probe) -> Finding:
    """What the probe finds; Open where the account's answer is none that is known."""
    if not probe.bare and not here.location:
        here.lay()
    before = len(here.made.things)
    try:
        return probe.ask(here)
    finally:
        here.made.remove(before)  # what is still there is tried once more when the ground goes


def ask_all(here: Ground, probes: Iterable[Probe]) -> list[Probe]:
    """Ask them all and say what each has found; those that remain open though they could be asked."""
    remain = []
    for probe in probes:
        try:
            line = probe.told(asked(here, probe))
        except (Open, Late, ClientError, BotoCoreError) as why:
            line = f"leaves {probe.name} open: {why}"
            remain += [] if isinstance(why, NotHere) else [probe]
        print(line, flush=True)
    return remain
