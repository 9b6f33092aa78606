"""Why a grant is there: the rule that wants it, whom or what the rule meant, and until when.

A grant stands as long as it has one reason. A run takes back only the reasons that it can speak for, because it has read all that
they follow from: a run for one profile knows nothing of the other profiles' reasons, and leaves them as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

PROFILE = "profile "


@dataclass(frozen=True, order=True, slots=True)
class Reason:
    """One justification. `subjects` are what the rule was expanded for, as profile_subject and prefix_subject write them.

    >>> print(Reason("policy/a.yaml#own-folder", (profile_subject("Product-Domain", "userA"),)))
    policy/a.yaml#own-folder for profile Product-Domain/userA
    """

    rule: str
    subjects: tuple[str, ...] = ()
    until: datetime | None = None  # aware, UTC
    additive: bool = False  # an additive file gave it: it stays though the rule goes

    @property
    def file(self) -> str:
        """The policy file that the rule stands in."""
        return self.rule.partition("#")[0]

    def __str__(self) -> str:
        whom = f" for {', '.join(self.subjects)}" if self.subjects else ""
        end = f" until {self.until:%Y-%m-%d %H:%M}Z" if self.until else ""
        return f"{self.rule}{whom}{end}"


def profile_subject(domain: str, name: str) -> str:
    """How a reason names a profile.

    >>> profile_subject("Product-Domain", "userA")
    'profile Product-Domain/userA'
    """
    return f"{PROFILE}{domain}/{name}"


def of_subject(subject: str) -> tuple[str, str] | None:
    """Domain and name in what profile_subject writes; None for any other subject.

    >>> of_subject("profile Product-Domain/userA"), of_subject("prefix s3://data/x/")
    (('Product-Domain', 'userA'), None)
    """
    if not subject.startswith(PROFILE):
        return None
    domain, _, name = subject.removeprefix(PROFILE).partition("/")
    return domain, name


def prefix_subject(prefix: str) -> str:
    """How a reason names a folder of a bucket.

    >>> prefix_subject("s3://data/projects/x/")
    'prefix s3://data/projects/x/'
    """
    return f"prefix {prefix}"


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Reasons sorted; of the same one, that without end comes first."""
    found = tuple(reasons)
    # Most grants have one reason, and there may be hundred thousands of them.
    return found if len(found) < 2 else tuple(sorted(found, key=_order))


def _order(reason: Reason) -> tuple[str, tuple[str, ...], str, bool]:
    return reason.rule, reason.subjects, str(reason.until or ""), reason.additive


def ends(reasons: Iterable[Reason]) -> datetime | None:
    """When the last of the reasons ends; None if one of them never does."""
    found = [reason.until for reason in reasons]
    return None if None in found else max(filter(None, found), default=None)
