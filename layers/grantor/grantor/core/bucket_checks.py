"""The checks of `grantor doctor` for existing buckets: facts about them → findings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grantor.core.findings import Fact, Finding, Unread, judge, report_unread
from grantor.core.stack_checks import (
    GRANTS_SERVICE,
    BucketFact,
    LocationFact,
    check_settings,
    trusts,
)

GROUP_PARAMETERS = ("DataBuckets", *(f"DataBuckets{number}" for number in range(2, 9)))


@dataclass(frozen=True)
class ExistingBucket:
    """A bucket that the stack did not make: its settings, and the location over it."""

    settings: BucketFact
    location: Fact[LocationFact | None]


def list_bucket_names(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The existing buckets that a stack's parameters name, in their order.

    >>> list_bucket_names({"DataBuckets2": "c", "DataBuckets": "b,a"})
    ('b', 'a', 'c')
    """
    listed = (parameters.get(name, "").split(",") for name in GROUP_PARAMETERS)
    return tuple(bucket for names in listed for bucket in names if bucket)


def check_named_buckets(named: Mapping[str, Fact[str]]) -> Iterator[Finding]:
    """Check buckets before they are connected: what is wrong with each, "" for nothing."""
    for bucket, problem in named.items():
        if isinstance(problem, Unread):
            yield report_unread("existing-bucket", f"the bucket {bucket}", problem)
        else:
            yield judge("existing-bucket", problem or f"s3://{bucket}/", not problem)


def check_connected_buckets(buckets: Sequence[ExistingBucket]) -> Iterator[Finding]:
    """Check buckets that are connected: location, events, and whether they are closed."""
    for bucket in buckets:
        yield from _check_location(bucket)
        yield from check_settings(bucket.settings, "data-bucket", "s3:GetObject", "x")


def _check_location(bucket: ExistingBucket) -> Iterator[Finding]:
    name, found = bucket.settings.name, bucket.location
    if isinstance(found, Unread):
        yield report_unread("data-location", f"the location of {name}", found)
        return
    yield judge("data-location", f"a location over s3://{name}/", found is not None)
    if found is not None:
        works = trusts(found.trust, GRANTS_SERVICE, "sts:AssumeRole")
        state = "trusts S3 Access Grants" if works else "does not trust S3 Access Grants"
        yield judge("location-role", f"{found.role} {state}", works)
