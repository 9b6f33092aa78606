"""Until when rules with `review` give access: they end when nobody has signed a review for so long.

A rule that nobody has ever reviewed counts from the day on which a run first saw it. So the loss of
the table ends nobody's access at once: every rule counts from the next run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from grantor.core.diagnostics import Fault
from grantor.core.planning.grantees import LAST_MOMENT, has_passed
from grantor.core.planning.rendering import format_timestamp
from grantor.core.rules import Rule
from grantor.core.snapshot import Inventory
from grantor.settings import REVIEW_NOTICE_DAYS


def find_review_end(rule: Rule, inventory: Inventory) -> datetime | None:
    """When the rule ends unless somebody reviews it; None if it does not have to be reviewed. It
    ends with a whole day, so that plans of one day are the same.
    """
    if rule.review is None:
        return None
    since = inventory.reviews.get(rule.id, inventory.now).astimezone(UTC)
    midnight = datetime.combine(since.date(), time(), UTC) + timedelta(days=1)
    return midnight + min(rule.review, LAST_MOMENT - midnight)


def choose_earliest(*ends: datetime | None) -> datetime | None:
    """The first of some ends; None if there is none."""
    return min(filter(None, ends), default=None)


def find_ended(rule: Rule, inventory: Inventory) -> Fault | None:
    """Why the whole rule gives nothing any more; None if it does."""
    if has_passed(rule.until, inventory.now):
        what = f"it ended at {rule.until:%Y-%m-%d %H:%M}Z"
        return Fault(what, "it grants nothing any more", "remove it")
    end = find_review_end(rule, inventory)
    if has_passed(end, inventory.now):
        what = f"it ended at {end:%Y-%m-%d %H:%M}Z, because nobody has reviewed it"
        return Fault(what, "it grants nothing until somebody does", "sign a review, or remove it")
    return None


@dataclass(frozen=True)
class SignedReview:
    """That a person has reviewed some rules: `about` an owner, rules, or everything. `user` is the
    caller's id in IAM, which IAM has checked, and `by` the ARN that they gave. `seen` is the digest
    of what they were shown.
    """

    at: datetime  # aware, UTC
    user: str
    rules: tuple[str, ...]
    about: str
    by: str
    because: str
    seen: str


@dataclass(frozen=True, order=True)
class DueReview:
    """A rule that ends soon, or has ended, unless somebody reviews it."""

    end: datetime  # aware, UTC
    rule: str
    owner: str

    def describe(self, stack: str) -> str:
        """What is to be done about it, in one line."""
        whom = f"; owner: {self.owner}" if self.owner else ""
        return (
            f"review: {self.rule} ends at {self.end:%Y-%m-%d %H:%M}Z unless somebody reviews it: "
            f"grantor review list --stack {stack}{whom}"
        )

    def to_json(self) -> dict[str, str | None]:
        """As a value of docs/json.md."""
        return {
            "rule": self.rule,
            "owner": self.owner or None,
            "ends_at": format_timestamp(self.end),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "DueReview":
        """The value that to_json has written."""
        end = datetime.fromisoformat(value["ends_at"])
        return cls(end, value["rule"], value["owner"] or "")


def list_due_reviews(rules: Iterable[Rule], inventory: Inventory) -> tuple[DueReview, ...]:
    """The rules that end within the days of notice, and those that ended within as many; the first
    to end first.
    """
    notice = timedelta(days=REVIEW_NOTICE_DAYS)
    found = set()
    for rule in rules:
        end = find_review_end(rule, inventory)
        if end is None or has_passed(rule.until, inventory.now):
            continue
        if abs(end - inventory.now) <= notice:
            found.add(DueReview(end, rule.id, rule.owner))
    return tuple(sorted(found))


def list_unrecorded(rules: Iterable[Rule], inventory: Inventory) -> tuple[str, ...]:
    """The rules with `review` of which nothing is recorded."""
    return tuple(sorted({rule.id for rule in rules if rule.review} - inventory.reviews.keys()))
