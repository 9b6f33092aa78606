"""Where AWS's documents say nothing, what the sandbox does is a named switch.

The tests run both ways of each, and `tests/live` can settle each in a real account. Nothing that is
tested against the sandbox may depend on one of them.
"""

from collections.abc import Iterable, Iterator
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
    # Does a closer grant of too little permission hide a wider one that would do? Assumed no.
    closer_grant_hides: bool = False
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
    # May a credential to read list the unfinished uploads in its prefix? Assumed no: AWS limits
    # lists by s3:prefix, and s3:ListBucketMultipartUploads has no such condition key.
    readers_see_uploads: bool = False
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
    # Where does a job in a network fail whose execution role lacks rights of EC2? "run": the job
    # fails with a ClientError, as it does for wrong DHCP options. "create": the request is refused.
    job_network_fails_at: str = "run"
    # Tools, not questions: how many jobs run at a time (the others wait, InProgress), and the
    # account's quota of instances of one type.
    jobs_at_once: int = 2
    job_instances_quota: int = 20
    # Lifetime of an execution role's session, and time from SIGTERM to SIGKILL (120 on AWS),
    # in seconds.
    job_session_seconds: int = 3600
    job_stop_seconds: int = 5
    # After how many seconds a job of Spark that can get no executor is stopped, as if its time
    # limit had passed, for which it waits on AWS. 0: it does wait.
    job_starved_seconds: int = 240
    # Whether each event of a job is delivered twice, as AWS says it may be.
    job_events_twice: bool = False


@dataclass(frozen=True)
class StudioSwitches:
    """The open question about Studio's spaces and apps."""

    # How do policies see the name of a profile, in its ARN, in sagemaker:OwnerUserProfileArn and in
    # sagemaker:UserProfileName? "given": as it was given. "lower": in lower case, as in the ARN
    # that CreateUserProfile returns. AWS's own policies compare the three, so they agree.
    profile_names_in_policies: str = "given"


@dataclass(frozen=True)
class FunctionSwitches:
    """The open questions about Lambda's recursive-loop detection, and the account's quota."""

    # A batch holds messages of several chains, one of them too long: is the whole batch refused
    # ("longest"), or are only the messages of that chain withheld ("each")?
    loop_batch: str = "longest"
    # Does a chain of requests go on through EventBridge? Assumed no: AWS's guide lists SQS, S3 and
    # SNS, and says that with another service in the loop Lambda cannot detect it.
    loop_through_event_bus: bool = False
    # A tool, not a question: how many invocations run at a time in the account.
    concurrent_executions: int = 1_000


@dataclass(frozen=True)
class AccountSwitches:
    """What the account's root may do, which is a tool; and an open question about IAM."""

    # Does a Deny in a resource's own policy apply to the account's root? On AWS it does.
    root_meets_denies: bool = False
    # Does SimulatePrincipalPolicy know the tags of a role that ContextEntries do not name? Assumed
    # no: the reference says that context keys are among the inputs of a simulation.
    simulator_knows_tags: bool = False


@dataclass(frozen=True)
class ObjectSwitches:
    """The open questions about S3's objects and buckets."""

    # Does a copy of an object that has tags need s3:GetObjectTagging on its source? Assumed yes:
    # the service authorization reference lists it for no copy, and people report that it is needed.
    copy_reads_tags: bool = True
    # Does S3 return the notification configuration of a bucket letter by letter as it was sent?
    # Assumed yes, because then a client that loses or reorders an entry of others is found out;
    # otherwise it is sorted by kind.
    bucket_texts_kept: bool = True
    # Which code refuses a bucket policy of more than 20 KB? The User Guide states the limit alone.
    large_policy_code: str = "PolicyTooLarge"
    # A tool, not a question: for how many seconds after EventBridge was enabled for a bucket do
    # its events get lost? AWS: the change takes around five minutes (300). Whether the events of
    # that time are lost or late is unknown. Assumed lost, as nobody promises them.
    event_start_seconds: int = 0


@dataclass(frozen=True)
class StackSwitches:
    """The open questions about CloudFormation."""

    # Does CloudFormation accept a null in a template, as long as only Metadata has it? Assumed
    # no: "'null' values are not allowed in templates".
    nulls_in_metadata: bool = False


KINDS = (
    GrantSwitches,
    JobSwitches,
    AccountSwitches,
    StudioSwitches,
    FunctionSwitches,
    StackSwitches,
    ObjectSwitches,
)
NAMES = {field.name: kind for kind in KINDS for field in fields(kind)}
# What a new account has until its owner asks for more. Sources: AWS, "Lambda quotas" (new accounts
# have reduced concurrency) and the messages of both services in new accounts.
YOUNG_ACCOUNT = {"job_instances_quota": "0", "concurrent_executions": "10"}


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
    for name, value in _split_settings(settings):
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


def _split_settings(settings: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield names and values; `young_account=true` stands for the quotas of YOUNG_ACCOUNT.

    >>> list(_split_settings(["young_account=true"]))
    [('job_instances_quota', '0'), ('concurrent_executions', '10')]
    """
    for setting in settings:
        name, _, value = setting.partition("=")
        if name != "young_account":
            yield name, value
        elif _parse_value(False, name, value):
            yield from YOUNG_ACCOUNT.items()
        else:
            yield from ((quota, str(getattr(NAMES[quota](), quota))) for quota in YOUNG_ACCOUNT)


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
