"""Writes one page that plays a world: what happens, who does it, the grants, the broken promise."""

import json
from pathlib import Path
from typing import Any

from simulation.sentences import PROMISES
from simulation.trace import Journal, Step
from simulation.world import WorldResult

TEMPLATE = Path(__file__).with_name("page.html")
PLACE = "@WORLD@"


def render_page(journal: Journal, result: WorldResult, name: str) -> str:
    """The page as one file without any other resource. Texts of the world are data in it."""
    world = {
        "title": f"A simulated world: {name}",
        "summary": _summarise(result),
        "steps": [_encode_step(step) for step in journal.steps],
    }
    # No text of the world ends the element that holds it.
    text = json.dumps(world).replace("<", "\\u003c")
    return TEMPLATE.read_text().replace(PLACE, text)


def _summarise(result: WorldResult) -> str:
    counts = f"{result.calls} calls, {result.runs} runs, {sum(result.faults.values())} faults. "
    if not result.broken:
        return counts + "No promise broke."
    return counts + "This promise broke: " + PROMISES[result.broken[0].promise]


def _encode_step(step: Step) -> dict[str, Any]:
    return {
        "time": step.time,
        "who": step.who,
        "what": step.what,
        "fault": step.fault,
        "grants": list(step.grants),
        "broken": list(step.broken),
    }
