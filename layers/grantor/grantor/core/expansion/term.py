"""Until when a rule's grants are wanted: for ever, until a time, or for some time from the making of each profile."""

from datetime import UTC, datetime

from grantor.core.expansion.refusal import Unread
from grantor.core.facts import Profile
from grantor.core.rule import Rule

LAST = datetime.max.replace(tzinfo=UTC)  # a longer time ends here


def end(rule: Rule, profile: Profile) -> datetime | None:
    """When the rule ends for this profile; None if never. Raises Unread when that hangs on a time that is not known."""
    if rule.lasts is None:
        return rule.until
    if profile.created is None:
        raise Unread(f"when {profile.subject} was created is not known, and the rule's time runs from then")
    return profile.created + min(rule.lasts, LAST - profile.created)


def over(until: datetime | None, now: datetime) -> bool:
    """Whether an end has come; the moment itself is over.

    >>> over(None, LAST), over(LAST, LAST)
    (False, True)
    """
    return until is not None and until <= now
