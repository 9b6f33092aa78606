"""Existing buckets that a stack is connected to: what is put into their configuration, and how it
is taken out again.

Two texts of a bucket change: its notification configuration (EventBridge is switched on) and its
policy (a statement denies what was not vended). Both belong to others as well. So what was there is
kept, and comes back letter by letter if nobody has changed the text meanwhile; otherwise only our
part is taken out.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grantor.core.grant import Location

SID_START = "GrantorVendedOnly"
EMPTY_POLICY = '{"Version":"2012-10-17","Statement":[]}'
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
EVENTS_ELEMENT = re.compile(
    r"<(?:\w+:)?EventBridgeConfiguration\b[^>]*?(?:/>|>\s*</(?:\w+:)?EventBridgeConfiguration\s*>)"
)
ROOT_END = re.compile(r"</(?P<prefix>(?:\w+:)?)NotificationConfiguration\s*>\s*\Z")
EMPTY_ROOT = re.compile(
    r"<(?P<prefix>(?:\w+:)?)NotificationConfiguration(?P<rest>[^>]*?)\s*/>\s*\Z"
)

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class ConnectedBuckets:
    """The existing buckets of a stack. Those that are `leaving` are about to be removed: no rule
    gives anything in them any more.
    """

    names: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


NO_BUCKETS = ConnectedBuckets()


@dataclass(frozen=True)
class BucketGroup:
    """The buckets of one parameter of the template. Who asks to remove one has until a time
    (seconds since the epoch) to complete that.
    """

    number: str
    names: tuple[str, ...] = ()
    leaving: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptText:
    """A text of a bucket's configuration: as it was before us, and the digest of what S3 returned
    after our change. "" stands for no text.
    """

    before: str = ""
    after: str = ""

    def restore(self, current: str, without_ours: str) -> str:
        """The text to put back: what was there, or, if somebody has changed it since, the current
        one without our part.

        >>> KeptText("old", digest_text("new")).restore("new", "")
        'old'
        >>> KeptText("old", digest_text("new")).restore("theirs", "theirs without ours")
        'theirs without ours'
        """
        return self.before if digest_text(current) == self.after else without_ours


def digest_text(text: str) -> str:
    """What a text is compared by; "" for no text."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


@dataclass(frozen=True)
class BucketRecord:
    """What connecting a bucket has changed: our location's id ("" if an existing one covers it),
    the role of its location, and both texts.
    """

    name: str
    group: str = ""
    location: str = ""
    role: str = ""
    notifications: KeptText = KeptText()
    policy: KeptText = KeptText()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to take back."""
        return not (self.location or self.notifications.after or self.policy.after)


def find_covering(bucket: str, locations: Iterable[Location]) -> Location | None:
    """The closest location that covers the whole bucket; None if there is none.

    >>> find_covering("data", [Location("1", "s3://data/team/"), Location("default", "s3://")])
    Location(id='default', scope='s3://')
    """
    around = [one for one in locations if f"s3://{bucket}/".startswith(one.root)]
    return max(around, key=lambda one: (len(one.root), one.id), default=None)


def name_statement(stack: str) -> str:
    """The Sid of a stack's statement in the policies of buckets: IAM allows letters and digits.

    >>> name_statement("grantor")
    'GrantorVendedOnly5bf082dd'
    """
    return f"{SID_START}{hashlib.sha256(stack.encode()).hexdigest()[:8]}"


def build_vended_only(
    bucket: str, stack: str, instance: str, administrators: Iterable[str]
) -> Statement:
    """The statement that refuses every call for an object that S3 Access Grants did not vend,
    except by the administrators (ARNs) and by services of AWS; as DataBucketPolicy of the template
    has it. `instance` is the ARN of the Access Grants instance.
    """
    named = sorted(administrators)
    partition = instance.split(":")[1]
    exempt = {"ArnNotLike": {"aws:PrincipalArn": named}} if named else {}
    return {
        "Sid": name_statement(stack),
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:{partition}:s3:::{bucket}/*",
        "Condition": {
            "ArnNotEquals": {"s3:AccessGrantsInstanceArn": instance},
            **exempt,
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }


def merge_statement(policy: str, statement: Statement) -> str:
    """A bucket's policy with the statement, in place of one of the same Sid; "" is no policy."""
    document = json.loads(policy or EMPTY_POLICY)
    kept = _select_others(document, statement["Sid"])
    return _write_policy({**document, "Statement": [*kept, statement]})


def remove_statement(policy: str, sid: str) -> str:
    """A bucket's policy without the statement, unchanged if it has none; "" if nothing remains."""
    document = json.loads(policy or EMPTY_POLICY)
    kept = _select_others(document, sid)
    if not kept:
        return ""
    is_there = len(kept) < len(_list_statements(document))
    return _write_policy({**document, "Statement": kept}) if is_there else policy


def _list_statements(document: Mapping[str, Any]) -> list[Statement]:
    listed = document.get("Statement", [])
    return [listed] if isinstance(listed, Mapping) else list(listed)


def _select_others(document: Mapping[str, Any], sid: str) -> list[Statement]:
    return [one for one in _list_statements(document) if one.get("Sid") != sid]


def _write_policy(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def sends_events(notifications: str) -> bool:
    """Whether a notification configuration (XML) switches EventBridge on."""
    return bool(EVENTS_ELEMENT.search(COMMENT.sub("", notifications)))


def add_events(notifications: str) -> str:
    """A notification configuration with EventBridge switched on; every other letter stays.

    Raises ValueError for what is no notification configuration.

    >>> add_events("<NotificationConfiguration/>")
    '<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>'
    """
    if sends_events(notifications):
        return notifications
    if found := ROOT_END.search(notifications):
        own = f"<{found['prefix']}EventBridgeConfiguration/>"
        return f"{notifications[: found.start()]}{own}{found[0]}"
    if found := EMPTY_ROOT.search(notifications):
        prefix = found["prefix"]
        name = f"{prefix}NotificationConfiguration"
        own = f"<{name}{found['rest']}><{prefix}EventBridgeConfiguration/></{name}>"
        return f"{notifications[: found.start()]}{own}"
    raise ValueError("S3 has returned no notification configuration")


def remove_events(notifications: str) -> str:
    """A notification configuration with EventBridge switched off; every other letter stays.

    >>> remove_events(add_events("<NotificationConfiguration>theirs</NotificationConfiguration>"))
    '<NotificationConfiguration>theirs</NotificationConfiguration>'
    """
    return EVENTS_ELEMENT.sub("", notifications)
