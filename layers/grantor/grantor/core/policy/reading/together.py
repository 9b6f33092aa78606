"""What the jobs of one file do to each other: those that surely write over each other, or start each other without end, are refused.

Whether jobs for different profiles do so, only the profiles tell (core/jobs/starting.py).
"""

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from grantor.core.job import Job
from grantor.core.jobs.places import Place, Places
from grantor.core.policy.document import Fields, Reader
from grantor.core.problem import Fault


def judge_together(given: Iterable[tuple[Fields, Job]], reader: Reader) -> None:
    """Say what is wrong with these jobs taken together, each at its output."""
    outputs = {_written(job): output for fields, job in given if (output := fields.text("output"))}
    places = Places(outputs, _surely)
    met = {place: fault for place in outputs if (fault := _meeting(place, places))}
    for place, fault in met.items():
        reader.refuse(outputs[place], *fault)
    for way in _circles([place for place in outputs if place not in met], places):
        reader.refuse(outputs[way[0]], *_endless(way))


def _written(job: Job) -> Place:
    return Place(job, "", job.on, job.reads, job.output)


def _surely(outer: Place, inner: Place) -> bool:
    """Whether what is written so lies so for every profile: the same profiles are meant, or the outer place is the same for all."""
    return "{" not in outer.output or outer.job.runs_as == inner.job.runs_as


def _meeting(place: Place, places: Places) -> Fault | None:
    """That the output of an earlier job lies over or below this one's."""
    others = [other for other in places.meeting(place) if _order(other) < _order(place)]
    if not others:
        return None
    what = f"its output and that of {_called(min(others, key=_order))} lie over each other"
    return Fault(what, "their files would be mixed", "give each a folder of its own")


def _circles(all_of_them: Iterable[Place], places: Places) -> Iterator[list[Place]]:
    """Circles of jobs that feed one another, no job in two of them, each from its first job in the file."""
    left = dict.fromkeys(all_of_them)
    while way := _circle({place: [one for one in places.feeding(place) if one in left] for place in left}):
        at = way.index(min(way, key=_order))
        yield [*way[at:], *way[:at]]
        left = {place: None for place in left if place not in way}


def _circle(feeding: dict[Place, list[Place]]) -> list[Place]:
    """One of the circles, each place before the one that it feeds; nothing if there is none."""
    try:
        TopologicalSorter(feeding).prepare()
    except CycleError as circle:
        found: list[Place] = circle.args[1]
        return found[:-1]
    return []


def _endless(way: list[Place]) -> Fault:
    chain = ", which feeds ".join(map(_called, way[1:]))
    return Fault(
        f"what it writes feeds {chain}, which feeds it again",
        "each would start the next, without end",
        "let one of them write elsewhere",
    )


def _called(place: Place) -> str:
    return f"{place.job.title} in line {place.job.line}"


def _order(place: Place) -> tuple[int, int]:
    return place.job.line, place.job.column
