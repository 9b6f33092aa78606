"""Where a job looks, reads and writes, and how the places of jobs lie to each other: a job must start neither itself nor, by others, ever again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grantor.core.job import Job


@dataclass(frozen=True)
class Place:
    """A job's places, as one profile (Domain/name) or, with "", a role of its own has them; or as they are written."""

    job: Job
    profile: str
    on: str
    input: str
    output: str

    def __str__(self) -> str:
        return f"job {self.job.id}{f' for profile {self.profile}' if self.profile else ''}"

    def feeds(self, other: "Place") -> bool:
        """Whether what this one writes may be what the other waits for or reads."""
        return other.on.startswith(self.output) or other.input.startswith(self.output)

    def meets(self, other: "Place") -> bool:
        """Whether the outputs of the two lie over each other."""
        return self.output.startswith(other.output) or other.output.startswith(self.output)


def circle(first: Place, fed: Callable[[Place], Iterable[Place]]) -> tuple[Place, ...]:
    """The shortest way on which what `first` writes leads back to it, as the places on it; nothing if there is none.

    `fed` tells whom a place feeds; that it feeds itself is no circle.
    """
    ways: list[tuple[Place, ...]] = [(first,)]
    seen = {first}
    for way in ways:
        for following in fed(way[-1]):
            if following == first and len(way) > 1:
                return way
            if following not in seen:
                seen.add(following)
                ways.append((*way, following))
    return ()
