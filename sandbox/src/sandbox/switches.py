"""Where AWS's documents say nothing, what the sandbox does is a named switch.

The tests run both ways of each, and `tests/live` can settle each in a real account. Nothing that is
tested against the sandbox may depend on one of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class GrantSwitches:
    """The open questions about S3 Access Grants, each with the answer that is assumed."""

    # Does the location take part in what makes a grant unique? Assumed no: two ways to one
    # scope are one permission.
    location_in_key: bool = False
    # Are `s3://b` and `s3://b/` the same location? Assumed no: scopes are returned byte for byte.
    slash_makes_same_location: bool = False
    # Is the target `s3://b`, as the plugin sends it for a bucket, inside `s3://b/*`? Assumed
    # yes: the plugin relies on ListBucket.
    bare_bucket_is_inside: bool = True
    # Do a READ and a WRITE grant together answer a READWRITE request? Assumed no.
    read_and_write_combine: bool = False
    # Is a sub-prefix without `*` and without S3PrefixType=Object accepted? Assumed yes; it
    # then means the one key of that name.
    plain_prefix_is_taken: bool = True
    # Which code refuses a grant for all of `s3://`, or for a bucket that does not exist?
    invalid_scope_code: str = "InvalidAccessGrant"
    # Does `GrantScope` filter ListAccessGrants by equality? Assumed yes; otherwise by prefix.
    grant_scope_filters_exactly: bool = True
    # How many results does a page without MaxResults, or with 0, have?
    default_page: int = 1000
    # Does a grant for a role that was deleted and created again work again? Assumed yes: the
    # ARN is what counts.
    grants_survive_their_role: bool = True
    # Can the instance be deleted while IAM Identity Center is still associated? Assumed no.
    association_keeps_instance: bool = True
    # Does GetAccessGrantsInstanceForPrefix need a location that covers the prefix? Assumed no.
    prefix_needs_location: bool = False
    # Which code refuses a value that the service's model forbids (enums, maxima, patterns)?
    bad_value_code: str = "InvalidRequest"
    # Tools, not questions: the longest page, and every n-th page empty although more follow
    # (AWS allows both).
    longest_page: int = 1000
    empty_page_every: int = 0
    locations_quota: int = 1_000
    grants_quota: int = 100_000
    # ListAccessGrants answers as things stood before the last n changes, or n seconds ago.
    stale_changes: int = 0
    stale_seconds: int = 0
    # How many times DeleteAccessGrantsLocation says that the location is not empty after its
    # last grant was deleted.
    late_deletes: int = 0
    # Lifetime of a credential for which no duration was requested, in seconds. AWS: one hour.
    vended_seconds: int = 3600


@dataclass(frozen=True)
class JobSwitches:
    """The open questions about processing jobs, and tools for what takes minutes on AWS."""

    # How does a container that failed show in FailureReason? "code": "AlgorithmError: , exit
    # code: 13", as jobs of today have it. "logs": "AlgorithmError: See job logs for more
    # information", as those of 2020 had it. "message": with the container's own message.
    job_failure_reason: str = "code"
    # Does the execution role need permissions for the image's repository? Assumed yes:
    # SageMaker pulls the image in its name.
    job_image_needs_rights: bool = True
    # How does DescribeProcessingJob return a request? "asked": member by member as it was asked.
    # "defaults": with AppManaged of each input and output, and without an empty Environment.
    job_description: str = "asked"
    # Tools, not questions: how many jobs run at a time (the others wait, InProgress), and the
    # account's quota of instances of one type.
    jobs_at_once: int = 2
    job_instances_quota: int = 20
    # Lifetime of an execution role's session, and time from SIGTERM to SIGKILL (120 on AWS),
    # in seconds.
    job_session_seconds: int = 3600
    job_stop_seconds: int = 5
    # Whether each event of a job is delivered twice, as AWS says it may be.
    job_events_twice: bool = False


@dataclass(frozen=True)
class AccountSwitches:
    """What the account's root may do. A tool, not a question."""

    # Does a Deny in a resource's own policy apply to the account's root? On AWS it does.
    root_meets_denies: bool = False


KINDS = (GrantSwitches, JobSwitches, AccountSwitches)
NAMES = {field.name: kind for kind in KINDS for field in fields(kind)}


def set_switches(
    settings: Iterable[str], current: tuple[Any, ...] | None = None
) -> tuple[Any, ...]:
    """Return one of each of KINDS, with every `name=value` of `settings` set over the current ones.

    Without current ones, the defaults apply. Raises ValueError, with the nearest name, for an
    unknown switch, and for a value of another type.

    >>> set_switches(["grants_quota=5", "jobs_at_once=1"])[1].jobs_at_once
    1
    """
    chosen: dict[type, dict[str, bool | int | str]] = {kind: {} for kind in KINDS}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1, 0)
            raise ValueError(
                f"no switch is named {name!r}; did you mean {near[0]}? docs/sandbox.md lists them "
                "all"
            )
        default = getattr(NAMES[name](), name)
        chosen[NAMES[name]][name] = _parse_value(default, name, value)
    return tuple(
        replace(each, **chosen[type(each)]) for each in current or tuple(kind() for kind in KINDS)
    )


def _parse_value(default: object, name: str, value: str) -> bool | int | str:
    """Return `value` as the type of the switch's default."""
    if isinstance(default, bool):
        if value not in ("true", "false"):
            raise ValueError(f"{name} is true or false, not {value!r}")
        return value == "true"
    if isinstance(default, int):
        if not value.isdigit():
            raise ValueError(f"{name} is a whole number, not {value!r}")
        return int(value)
    return value
