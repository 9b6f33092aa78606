"""Where AWS says nothing, what this service does is a named switch. Each is a probe for a day with a real account.

The tests run both ways of each; nothing of the product may depend on one of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Switches:
    """The open questions (marked [UNK] in what is known of the service) and the answer that is assumed."""

    # Does the location take part in what makes a grant unique? Assumed no: two ways to one scope are one right.
    location_in_key: bool = False
    # Are `s3://b` and `s3://b/` the same location? Assumed no: scopes are echoed byte for byte.
    slash_makes_same_location: bool = False
    # Is the target `s3://b`, as the plugin sends it for a bucket, inside `s3://b/*`? Assumed yes: the plugin relies on ListBucket.
    bare_bucket_is_inside: bool = True
    # Do a READ and a WRITE grant together answer a READWRITE request? Assumed no.
    read_and_write_combine: bool = False
    # Is a sub-prefix without `*` and without S3PrefixType=Object taken? Assumed yes; it then means the one key of that name.
    plain_prefix_is_taken: bool = True
    # Which code refuses a grant for all of `s3://`, or for a bucket that does not exist?
    invalid_scope_code: str = "InvalidAccessGrant"
    # Does `GrantScope` filter ListAccessGrants by equality? Assumed yes; otherwise by prefix.
    grant_scope_filters_exactly: bool = True
    # How many results has a page without MaxResults, or with 0?
    default_page: int = 1000
    # Does a grant for a role that was deleted and made again work again? Assumed yes: the ARN is what counts.
    grants_survive_their_role: bool = True
    # May the instance go while IAM Identity Center is still associated? Assumed no.
    association_keeps_instance: bool = True
    # Does GetAccessGrantsInstanceForPrefix need a location that covers the prefix? Assumed no.
    prefix_needs_location: bool = False
    # Which code refuses a value that the service's model forbids (enums, maxima, patterns)?
    bad_value_code: str = "InvalidRequest"
    # Not questions but tools: pages no longer than this, and every n-th page empty though more follow (AWS allows both).
    longest_page: int = 1000
    empty_page_every: int = 0
    locations_quota: int = 1_000
    grants_quota: int = 100_000
    # ListAccessGrants answers as things stood before the last n changes, or n seconds ago.
    stale_changes: int = 0
    stale_seconds: int = 0
    # DeleteAccessGrantsLocation says so often that the location is not empty, after its last grant has gone.
    late_deletes: int = 0
    # How long a credential lasts for which no duration was asked, in seconds. AWS: an hour.
    vended_seconds: int = 3600


def switched(words: Iterable[str], others: Any = Switches()) -> Any:
    """The switches, or `others` of any kind, with each `name=value` of `words` set; ValueError, with the nearest name, for what is none.

    >>> switched(["grants_quota=5", "location_in_key=true"]).grants_quota
    5
    """
    stated = {field.name: field.default for field in fields(others)}
    chosen: dict[str, bool | int | str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in stated:
            near = get_close_matches(name, stated, 1, 0)
            raise ValueError(f"no switch is named {name!r}; did you mean {near[0]}? All stand in docs/sandbox.md")
        chosen[name] = _like(stated[name], name, value)
    return replace(others, **chosen)


def _like(stated: object, name: str, value: str) -> bool | int | str:
    """`value` as the type of what is stated."""
    if isinstance(stated, bool):
        if value not in ("true", "false"):
            raise ValueError(f"{name} is true or false, not {value!r}")
        return value == "true"
    if isinstance(stated, int):
        if not value.isdigit():
            raise ValueError(f"{name} is a whole number, not {value!r}")
        return int(value)
    return value
