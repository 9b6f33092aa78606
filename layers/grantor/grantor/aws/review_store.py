"""What the table knows of reviews: since when rules that nobody has reviewed count, and who has
reviewed which rules.

pk               sk        what
review           DIGEST    a rule with `review` that a run has seen first, and when
review USERID    DIGEST    a review that this caller of IAM has signed, of up to 1,000 rules

IAM compares USERID with the caller, so nobody signs for somebody else, and whoever may only write
policy files signs nothing. Both are found by the index of approvals, under the key "reviews".
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.clients import error_code, map_concurrently
from grantor.aws.dynamodb import DynamoDBTable, Item
from grantor.core.planning.reviews import SignedReview

INDEX = "approvals"
INDEX_KEY = "reviews"  # a plan's hash, which stands there otherwise, has 64 digits
FIRST_SEEN = "review"
SIGNED_BY = "review "  # before the caller's id
RULES_PER_ITEM = 1_000  # of at most some 200 bytes each; an item has at most 400 KB


class ReviewStore:
    """The reviews in one table."""

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def read_times(self, now: datetime) -> Mapping[str, datetime]:
        """Since when each rule counts as reviewed; a review that is dated ahead does not count yet.

        Calls as for read_signed, and one for each megabyte of rules that were seen first.
        """
        first = self._table.query_partition(FIRST_SEEN)
        times = {item["rule"]: at for item in first if (at := _parse_time(item))}
        for signed in self.read_signed():
            if signed.at <= now:
                times |= dict.fromkeys(signed.rules, signed.at)  # the last comes last
        return times

    def read_signed(self) -> list[SignedReview]:
        """The last review that each caller has signed of each set of rules; a call for the index,
        and one for each review. What nobody could have signed is left out.
        """
        keys = self._table.query_index(INDEX, "approves", INDEX_KEY)
        found = map_concurrently(self._read_signed, [one for one in keys if _is_signed(one)])
        return sorted(filter(None, found), key=lambda one: one.at)

    def _read_signed(self, key: tuple[str, str]) -> SignedReview | None:
        item = self._table.get_item(*key)
        return _parse_signed(item) if item else None

    def record_signed(self, review: SignedReview) -> None:
        """Record a review; a call for each 1,000 rules."""
        for rules in batched(sorted(review.rules), RULES_PER_ITEM):
            self._table.put_item(_encode_signed(review, rules))

    def record_first_seen(self, rules: Iterable[str], now: datetime) -> None:
        """Record that these rules count from now, unless that was recorded; a call for each."""
        map_concurrently(lambda rule: self._record_first_seen(rule, now), sorted(rules))

    def _record_first_seen(self, rule: str, now: datetime) -> None:
        item = {"pk": FIRST_SEEN, "sk": _digest(rule), "rule": rule, "signed": now.isoformat()}
        try:
            self._table.add_item(item)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise


def _is_signed(key: tuple[str, str]) -> bool:
    return key[0].startswith(SIGNED_BY)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _encode_signed(review: SignedReview, rules: Iterable[str]) -> Item:
    listed = tuple(rules)
    return {
        "pk": f"{SIGNED_BY}{review.user}",
        "sk": _digest(review.about, *listed),
        "approves": INDEX_KEY,
        "about": review.about,
        "by": review.by,
        "because": review.because,
        "seen": review.seen,
        "signed": review.at.isoformat(),
        "rules": dict.fromkeys(listed, True),
    }


def _parse_signed(item: Mapping[str, Any]) -> SignedReview | None:
    """None for an item that record_signed has not written."""
    at, rules = _parse_time(item), item.get("rules")
    texts: dict[str, Any] = {name: item.get(name) for name in ("about", "by", "because", "seen")}
    if at is None or not isinstance(rules, dict):
        return None
    if not all(isinstance(one, str) for one in texts.values()):
        return None
    return SignedReview(at, item["pk"].removeprefix(SIGNED_BY), tuple(sorted(rules)), **texts)


def _parse_time(item: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(item["signed"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo else None
