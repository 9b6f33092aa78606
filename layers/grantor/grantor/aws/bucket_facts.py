"""Reads what `grantor doctor` judges of existing buckets. Every call only reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grantor.aws.bucket_settings import BucketSettings, ForeignBucket
from grantor.aws.clients import RetryableError, map_concurrently
from grantor.aws.doctor_facts import attempt, choose_fact, list_locations, read_bucket
from grantor.core.bucket_checks import ExistingBucket
from grantor.core.findings import Fact, Unread

if TYPE_CHECKING:
    from grantor.aws.clients import Clients


def read_named_buckets(
    clients: "Clients", owner: str, names: Iterable[str]
) -> dict[str, Fact[str]]:
    """What is wrong with each bucket that the parameters name; a call for each."""
    settings = BucketSettings(clients.s3, owner, clients.region)
    listed = list(names)

    def read(name: str) -> Fact[str]:
        try:
            settings.check_bucket(name)
        except ForeignBucket as foreign:
            return str(foreign)
        except RetryableError as error:
            return Unread("s3:ListBucket", str(error))
        return ""

    problems = map_concurrently(lambda name: attempt("s3:ListBucket", lambda: read(name)), listed)
    return dict(zip(listed, problems, strict=True))


def read_connected_buckets(
    clients: "Clients", owner: str, names: Iterable[str]
) -> Sequence[ExistingBucket]:
    """The settings of connected buckets and the locations over them: a call for each 1,000
    locations, and three for each bucket.
    """
    action = "s3:ListAccessGrantsLocations, iam:GetRole"
    locations: Fact[list[Mapping[str, Any]]] = attempt(
        action, lambda: list_locations(clients, owner)
    )

    def read(name: str) -> ExistingBucket:
        location = (
            locations
            if isinstance(locations, Unread)
            else attempt(action, lambda: choose_fact(clients, locations, name))
        )
        return ExistingBucket(read_bucket(clients, name), location)

    return map_concurrently(read, names)
