"""What the jobs of one file do to each other: those that surely write over each other, or start each other without end, are refused.

Whether jobs for different profiles do so, only the profiles tell (core/jobs/starting.py).
"""

from collections.abc import Iterable

from grantor.core.job import Job
from grantor.core.jobs.places import Place, Places
from grantor.core.policy.document import Fields, Reader
from grantor.core.problem import Fault


def judge_together(given: Iterable[tuple[Fields, Job]], reader: Reader) -> None:
    """Say what is wrong with these jobs taken together, each at its output."""
    outputs = {_written(job): output for fields, job in given if (output := fields.text("output"))}
    met = _met(outputs, Places(outputs))
    for place, other in met.items():
        what = f"its output and that of {other} lie over each other"
        reader.refuse(outputs[place], what, "their files would be mixed", "give each a folder of its own")
    for circle in Places(place for place in outputs if place not in met).circles():
        first = min(range(len(circle)), key=lambda at: _order(circle[at]))
        reader.refuse(outputs[circle[first]], *_endless(circle[first + 1 :] + circle[:first]))


def _written(job: Job) -> Place:
    # Two of one name in one line have been refused for that.
    return Place(f"{job.title} in line {job.line}", job, job.on, job.reads, job.output, filled="{" not in job.output)


def _met(outputs: Iterable[Place], places: Places) -> dict[Place, Place]:
    """The places whose output an earlier one's lies over or below, with that one; the first of several is enough."""
    found: dict[Place, Place] = {}
    for place in outputs:
        for over, *_ in places.over(place.output, place):
            earlier, later = sorted((over, place), key=_order)
            if earlier != later:
                found.setdefault(later, earlier)
    return found


def _endless(others: list[Place]) -> Fault:
    chain = ", which feeds ".join(map(str, others))
    what = f"what it writes feeds {chain}, which feeds it again"
    return Fault(what, "each would start the next, without end", "let one of them write elsewhere")


def _order(place: Place) -> tuple[int, int]:
    return place.job.line, place.job.column
