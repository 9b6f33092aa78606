"""Runs probes one after the other, and removes what each has created before the next."""

from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from tests.live.probe import Finding, NotApplicable, Probe, StillOpen
from tests.live.waiting import WaitTimeout
from tests.live.workspace import Workspace


def run_probe(workspace: Workspace, probe: Probe) -> Finding:
    """Run a probe and return what it finds.

    Raises StillOpen if the answer is not one of the known ones.
    """
    if not probe.bare and not workspace.location:
        workspace.create_location()
    before = len(workspace.cleanup.resources)
    try:
        return probe.ask(workspace)
    finally:
        # What cannot be removed now is tried again when the workspace closes.
        workspace.cleanup.remove(before)


def run_probes(workspace: Workspace, probes: Iterable[Probe]) -> list[Probe]:
    """Run the probes and print what each finds; return those that are applicable here and still
    open.
    """
    still_open = []
    for probe in probes:
        try:
            line = probe.format_finding(run_probe(workspace, probe))
        except (StillOpen, WaitTimeout, ClientError, BotoCoreError) as why:
            line = f"leaves {probe.name} open: {why}"
            still_open += [] if isinstance(why, NotApplicable) else [probe]
        print(line, flush=True)
    return still_open
