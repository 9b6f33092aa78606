"""What a run looks at: everything, some profiles, some folders. A bell carries a focus, never the decision."""

from collections.abc import Iterable
from dataclasses import dataclass

from grantor.core.reason import Reason

EVERYTHING = "everything"
MOST = 100  # subjects; a run for more of them reads everything, which then costs less


@dataclass(frozen=True)
class Focus:
    """The subjects that are to be looked at, as reason.py names them; none at all means everything.

    >>> print(Focus.of(["profile D/b", "profile D/a"])), print(Focus.of(["profile D/a", "everything"]))
    profile D/a, profile D/b
    everything
    (None, None)
    """

    subjects: tuple[str, ...] = ()

    @classmethod
    def of(cls, subjects: Iterable[str]) -> "Focus":
        """The focus of all of these together; everything when one of them is, or when there are too many to look at singly."""
        chosen = sorted(set(subjects))
        if EVERYTHING in chosen or len(chosen) > MOST:
            return cls()
        if not chosen:
            raise ValueError("a focus has at least one subject")
        return cls(tuple(chosen))

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.subjects

    def sees(self, reason: Reason) -> bool:
        """Whether a run with this focus reads all that the reason follows from."""
        return self.everything or any(subject in self.subjects for subject in reason.subjects)

    def __str__(self) -> str:
        return ", ".join(self.subjects) or EVERYTHING
