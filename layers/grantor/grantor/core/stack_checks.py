"""The checks of `grantor doctor` after a deployment: facts about a stack, its profiles → findings.

What a role may do was asked of IAM's simulator, which knows no bucket policies for roles (API
reference of SimulatePrincipalPolicy). So a bucket's policy is judged here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from grantor.core.deployment_checks import AccountFacts, check_trails
from grantor.core.findings import (
    Fact,
    Finding,
    Severity,
    Unread,
    judge,
    report_ok,
    report_problem,
    report_unread,
)
from grantor.settings import SWEEP_SECONDS

GRANTS_SERVICE, STUDIO_SERVICE = "access-grants.s3.amazonaws.com", "sagemaker.amazonaws.com"
INSTANCE_KEY, PRINCIPAL_KEY = "s3:accessgrantsinstancearn", "aws:principalarn"
# A condition that holds for a call of a role that was not vended.
ALWAYS_MET = {
    ("boolifexists", "aws:principalisawsservice", ("false",)),
    ("null", INSTANCE_KEY, ("true",)),
}


@dataclass(frozen=True)
class BucketFact:
    """A bucket: whether it sends events to EventBridge, and its policy ({} if it has none)."""

    name: str
    sends_events: Fact[bool]
    policy: Fact[Mapping[str, Any]]


@dataclass(frozen=True)
class LedgerFact:
    """The ledger table; the fields are unknown if `exists` is false."""

    name: str
    exists: bool
    is_protected: bool = False
    is_recoverable: bool = False


@dataclass(frozen=True)
class LocationFact:
    """The location over the data bucket, and the trust policy of its role ({} if it is gone)."""

    role: str
    trust: Mapping[str, Any]


@dataclass(frozen=True)
class StackFacts:
    """What concerns a deployed stack. `triggers` are enabled or not, by name."""

    status: str
    now: datetime
    topic: str
    instance: Fact[str]
    has_directory: bool  # the instance is associated with IAM Identity Center
    location: Fact[LocationFact | None]
    ledger: Fact[LedgerFact]
    data: BucketFact
    policies: BucketFact
    triggers: Fact[Mapping[str, bool]]
    dead_letters: Fact[Mapping[str, int]]  # messages, by queue
    in_alarm: Fact[Sequence[str]]  # names of alarms
    last_sweep: Fact[datetime | None]
    subscribers: Fact[int]  # of alerts, confirmed
    loops: Fact[Mapping[str, bool]]  # whether a function may invoke itself for ever, by its name
    registered: Fact[Sequence[str]]  # locations of Lake Formation, as ARNs


def check_stack(account: AccountFacts, facts: StackFacts) -> Iterator[Finding]:
    """Check a deployed stack, without its profiles."""
    healthy = facts.status.endswith("_COMPLETE") and facts.status != "ROLLBACK_COMPLETE"
    changing = facts.status.endswith("_IN_PROGRESS")
    severity = Severity.WARNING if changing else Severity.FAILURE
    yield judge("stack-state", f"stack {account.stack} is {facts.status}", healthy, severity)
    yield from _check_location(facts)
    yield check_trails(account.parameters["Trail"], account.trails, deployed=True)
    yield from _check_ledger(facts.ledger)
    yield from _check_buckets(facts)
    yield from _check_work(facts)
    yield from _check_loops(facts.loops)


def _check_location(facts: StackFacts) -> Iterator[Finding]:
    if isinstance(facts.instance, Unread):
        yield report_unread("instance", "the S3 Access Grants instance", facts.instance)
    else:
        what = facts.instance or "there is no instance"
        yield judge("instance", what, bool(facts.instance))
    found = facts.location
    if isinstance(found, Unread):
        yield report_unread("data-location", "the location of the data bucket", found)
        return
    yield judge("data-location", f"a location over s3://{facts.data.name}/", found is not None)
    if found is None:
        return
    missing = [
        action
        for action in ("sts:AssumeRole", "sts:SetSourceIdentity")
        if not trusts(found.trust, GRANTS_SERVICE, action)
    ]
    state = f"lacks {', '.join(missing)}" if missing else "trusts S3 Access Grants"
    yield judge("location-role", f"{found.role} {state}", not missing)
    if facts.has_directory:
        is_open = trusts(found.trust, GRANTS_SERVICE, "sts:SetContext")
        yield judge("directory-trust", f"{found.role} for people of Identity Center", is_open)


def trusts(policy: Mapping[str, Any], service: str, action: str) -> bool:
    """Whether a trust policy lets an AWS service do this; conditions are not judged."""
    return any(
        one.get("Effect") == "Allow"
        and service in _as_list(one.get("Principal", {}).get("Service"))
        and any(fnmatchcase(action, pattern) for pattern in _as_list(one.get("Action")))
        for one in _statements(policy)
        if isinstance(one.get("Principal"), Mapping)
    )


def _check_ledger(ledger: Fact[LedgerFact]) -> Iterator[Finding]:
    if isinstance(ledger, Unread):
        yield report_unread("ledger", "the ledger table", ledger)
        return
    yield judge("ledger", f"table {ledger.name}", ledger.exists)
    if ledger.exists:
        warning, names = Severity.WARNING, {"ledger": ledger.name}
        for kind, what, is_on in (
            ("ledger-protection", "deletion protection", ledger.is_protected),
            ("ledger-recovery", "point-in-time recovery", ledger.is_recoverable),
        ):
            yield judge(kind, f"{what} is {'on' if is_on else 'off'}", is_on, warning, **names)


def check_settings(bucket: BucketFact, kind: str, action: str, key: str) -> Iterator[Finding]:
    """Check that a bucket sends events, and that it refuses everybody else `action` on the key."""
    name, sends, policy = bucket.name, bucket.sends_events, bucket.policy
    if isinstance(sends, Unread):
        yield report_unread("bucket-events", f"events of {name}", sends)
    else:
        what = f"{name} {'sends' if sends else 'does not send'} events to EventBridge"
        yield judge("bucket-events", what, sends)
    if isinstance(policy, Unread):
        yield report_unread(kind, f"the policy of {name}", policy)
    else:
        closed = is_refused(policy, "", action, f"arn:aws:s3:::{name}/{key}")
        what = f"{name} {'refuses' if closed else 'does not refuse'} everybody else"
        yield judge(kind, what, closed, Severity.WARNING)


def _check_buckets(facts: StackFacts) -> Iterator[Finding]:
    yield from check_settings(facts.data, "data-bucket", "s3:GetObject", "x")
    yield from check_settings(facts.policies, "policy-bucket", "s3:PutObject", "policy/x")
    if isinstance(facts.registered, Unread):
        yield report_unread("lake-formation", "the locations of Lake Formation", facts.registered)
        return
    ours = f"arn:aws:s3:::{facts.data.name}/"
    covering = [arn for arn in facts.registered if f"{arn}/".startswith(ours)]
    for arn in covering:
        what = f"{arn} is registered"
        yield report_problem("lake-formation", what, Severity.WARNING, location=arn)
    if not covering:
        yield report_ok("lake-formation", f"{facts.data.name} is not registered")


def is_refused(policy: Mapping[str, Any], principal: str, action: str, arn: str) -> bool:
    """Whether a bucket's policy denies the call to this principal if it is not vended.

    A condition that is not understood counts as not met. `principal` "" is nobody in particular.
    """
    return any(_denies(one, principal, action, arn) for one in _statements(policy))


def _denies(statement: Mapping[str, Any], principal: str, action: str, arn: str) -> bool:
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and _covers(statement, "Action", action)
        and _covers(statement, "Resource", arn)
        and all(
            _is_met(operator.lower(), key.lower(), _as_list(values), principal)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _covers(statement: Mapping[str, Any], part: str, value: str) -> bool:
    if part in statement:
        return _matches(value, _as_list(statement[part]))
    return not _matches(value, _as_list(statement.get(f"Not{part}", "*")))


def _is_met(operator: str, key: str, values: tuple[str, ...], principal: str) -> bool:
    if key == INSTANCE_KEY and operator.startswith(("arnnot", "stringnot")):
        return True  # the key is absent
    if key == PRINCIPAL_KEY and operator in ("arnnotlike", "arnnotequals", "stringnotlike"):
        return not _matches(principal, values)
    return (operator, key, values) in ALWAYS_MET


def _matches(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)


def _statements(policy: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    listed = policy.get("Statement", ())
    return (listed,) if isinstance(listed, Mapping) else listed


def _as_list(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _check_work(facts: StackFacts) -> Iterator[Finding]:
    if isinstance(facts.triggers, Unread):
        yield report_unread("trigger", "rules and event source mappings", facts.triggers)
    else:
        for name, enabled in sorted(facts.triggers.items()):
            what = f"{name} is {'enabled' if enabled else 'disabled or missing'}"
            yield judge("trigger", what, enabled)
    yield _check_clock(facts.last_sweep, facts.now)
    if isinstance(facts.dead_letters, Unread):
        yield report_unread("dead-letters", "the dead-letter queues", facts.dead_letters)
    else:
        for queue, count in sorted(facts.dead_letters.items()):
            what = f"{queue} holds {count or 'no'} message{'' if count == 1 else 's'}"
            yield judge("dead-letters", what, not count)
    if isinstance(facts.in_alarm, Unread):
        yield report_unread("alarm", "the alarms", facts.in_alarm)
    else:
        yield judge("alarm", f"in alarm: {', '.join(facts.in_alarm) or 'none'}", not facts.in_alarm)
    if isinstance(facts.subscribers, Unread):
        yield report_unread("alerts", "the subscriptions of alerts", facts.subscribers)
    else:
        what = f"{facts.subscribers} confirmed subscriptions of alerts"
        yield judge("alerts", what, facts.subscribers > 0, Severity.WARNING, topic=facts.topic)


def _check_clock(last_sweep: Fact[datetime | None], now: datetime) -> Finding:
    if isinstance(last_sweep, Unread):
        return report_unread("clock", "the time of the last sweep", last_sweep)
    if last_sweep is None:
        return report_problem("first-sweep", "no sweep is complete yet", Severity.WARNING)
    ago = (now - last_sweep).total_seconds()
    # One run may be in progress, and one may have failed.
    what = f"the last sweep began {ago / 60:.0f} minutes ago"
    return judge("clock", what, ago < 3 * SWEEP_SECONDS)


def _check_loops(loops: Fact[Mapping[str, bool]]) -> Iterator[Finding]:
    if isinstance(loops, Unread):
        yield report_unread("recursion", "recursive-loop detection", loops)
        return
    for name, allowed in sorted(loops.items()):
        what = f"{name} {'may' if allowed else 'may not'} invoke itself through its queue"
        yield judge("recursion", what, allowed, function=name)


@dataclass(frozen=True)
class Verdict:
    """What IAM's simulator says of a role and one kind of right: the actions that it refuses, and
    condition keys of its policies whose values nobody knows beforehand.
    """

    refused: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    open_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleFact:
    """The execution role of one profile or several; without `exists` the rest is empty."""

    arn: str
    profiles: tuple[str, ...]  # DOMAIN/NAME
    exists: bool = True
    trust: Mapping[str, Any] = field(default_factory=dict)
    tag: str = ""  # the value of grantor:role
    policies: Fact[Sequence[str]] = ()  # attached managed policies, as ARNs
    rights: Mapping[str, Fact[Verdict]] = field(default_factory=dict)  # by the finding's id

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]

    @property
    def title(self) -> str:
        """What findings call it."""
        return f"{', '.join(self.profiles)} ({self.name})"


@dataclass(frozen=True)
class ProfileFacts:
    """The roles of all profiles, and what remedies name."""

    roles: Fact[Sequence[Fact[RoleFact]]]
    unread: Mapping[str, str]  # domains, and why
    count: int  # roles, of which only MAX_DOCTOR_ROLES are looked at
    scientist: str
    instance: str


NEEDED_RIGHTS = {  # what the role can do that has them
    "studio-rights": "can open a space in Studio",
    "credentials": "can ask for credentials",
    "pass-role": "can pass itself to SageMaker",
}
FORBIDDEN_RIGHTS = {  # what the role cannot do that lacks them
    "data-without-grant": "reaches no data without a grant",
    "policy-writes": "cannot write policy files",
}


def check_profiles(stack: StackFacts, facts: ProfileFacts) -> Iterator[Finding]:
    """Check what each profile's role can do, and what it must not."""
    for domain, why in sorted(facts.unread.items()):
        fact = Unread("sagemaker:ListUserProfiles, sagemaker:DescribeUserProfile", why)
        yield report_unread("profiles", f"the profiles of {domain}", fact)
    if isinstance(facts.roles, Unread):
        yield report_unread("profiles", "the profiles", facts.roles)
        return
    if facts.count > len(facts.roles):
        what = f"{len(facts.roles)} of {facts.count} roles were judged"
        yield report_problem("profiles", what, Severity.WARNING)
    elif not facts.roles and not facts.unread:
        yield report_problem("profiles", "there is no profile", Severity.WARNING)
    for role in facts.roles:
        if isinstance(role, Unread):
            yield report_unread("profile-role", "a role", role)
        else:
            yield from _check_role(stack, facts, role)


def _check_role(stack: StackFacts, facts: ProfileFacts, role: RoleFact) -> Iterator[Finding]:
    state = "exists" if role.exists else "does not exist"
    yield judge("profile-role", f"{role.title} {state}", role.exists)
    if not role.exists:
        return
    trusted = trusts(role.trust, STUDIO_SERVICE, "sts:AssumeRole")
    yield judge("role-trust", f"{role.title} trusts SageMaker", trusted)
    tagged = f"{role.title} has {f'the tag grantor:role={role.tag}' if role.tag else 'no tag'}"
    yield judge("role-tag", tagged, role.tag == role.name, Severity.WARNING, role=role.name)
    if isinstance(role.policies, Unread):
        yield report_unread("role-denies", f"the policies of {role.title}", role.policies)
    else:
        names = {"role": role.name, "scientist": facts.scientist}
        denies = facts.scientist in role.policies
        what = f"{role.title} {'has' if denies else 'lacks'} the managed policy Scientist"
        yield judge("role-denies", what, denies, Severity.WARNING, **names)
    for kind in NEEDED_RIGHTS:
        yield _judge_needed(kind, role, role.rights[kind], facts.instance)
    for kind, bucket, action, key in (
        ("data-without-grant", stack.data, "s3:GetObject", "x"),
        ("policy-writes", stack.policies, "s3:PutObject", "policy/x"),
    ):
        yield _judge_forbidden(kind, role, bucket, action, key)


def _judge_needed(kind: str, role: RoleFact, fact: Fact[Verdict], instance: str) -> Finding:
    if isinstance(fact, Unread):
        return report_unread(kind, f"the rights of {role.title}", fact)
    if fact.refused and fact.open_keys:
        why = f"it depends on {', '.join(fact.open_keys)}"
        return report_unread(kind, f"the rights of {role.title}", Unread("nothing more", why))
    does = f"may not {', '.join(fact.refused)}" if fact.refused else NEEDED_RIGHTS[kind]
    what = f"{role.title} {does}"
    return judge(kind, what, not fact.refused, instance=instance)


def _judge_forbidden(
    kind: str, role: RoleFact, bucket: BucketFact, action: str, key: str
) -> Finding:
    fact = role.rights[kind]
    if isinstance(fact, Unread):
        return report_unread(kind, f"the rights of {role.title}", fact)
    if fact.allowed:
        if isinstance(bucket.policy, Unread):
            return report_unread(kind, f"the policy of {bucket.name}", bucket.policy)
        closed = is_refused(bucket.policy, role.arn, action, f"arn:aws:s3:::{bucket.name}/{key}")
        if not closed or not all(one.startswith("s3:") for one in fact.allowed):
            return report_problem(kind, f"{role.title} may {', '.join(fact.allowed)}")
    elif fact.open_keys:
        why = f"it depends on {', '.join(fact.open_keys)}"
        return report_unread(kind, f"the rights of {role.title}", Unread("nothing more", why))
    return report_ok(kind, f"{role.title} {FORBIDDEN_RIGHTS[kind]}")
