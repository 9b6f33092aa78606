"""What worlds are made of: one account with one stack, people, places, and policy files as values.

A policy file is a FileDraft; its text is what the product reads, and its value is what the promises
are judged by, so the language's parser is no judge of itself. The number of different files is
limited on purpose: the product keeps parsed files in memory, and parsing takes longest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from grantor.aws.services import StackNames
from simulation.choices import Choices

ACCOUNT, OTHER_ACCOUNT, REGION = "111122223333", "444455556666", "eu-central-1"
STACK, DATA, POLICIES, OPERATIONS, TABLE = "grantor", "data", "policies", "operations", "ledger"
DOMAIN, DOMAIN_ID = "Lab", "d-lab"
START = datetime(2026, 12, 1, 9, 30, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86_400.0
BOUNDS = "bounds/bounds.yaml"

PEOPLE = ("ana", "ben", "cem", "dia")
PROJECTS = ("p1", "p2", "p3")
DELETES, NEW_GRANTS = 3, 6  # the guard's limits in every world; the share is 0 percent
APPROVERS = ("AROAPPROVER:eva@example.org", "AROAPPROVER:kim@example.org")


def role_arn(name: str, account: str = ACCOUNT) -> str:
    """The ARN of a role."""
    return f"arn:aws:iam::{account}:role/{name}"


AUDITOR, EXPORTER = role_arn("auditor"), role_arn("exporter")
PARTNER, DEFAULT_ROLE = role_arn("partner", OTHER_ACCOUNT), role_arn("default")
NAMES = StackNames(
    stack_name=STACK,
    account_id=ACCOUNT,
    data_bucket=DATA,
    policy_bucket=POLICIES,
    ledger_table=TABLE,
    event_queue="https://sqs/events",
    alert_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts",
    operations_bucket=OPERATIONS,
    guard_limits=f"deletes={DELETES},share=0,new_grants={NEW_GRANTS},end_days=30",
)


@dataclass(frozen=True)
class RuleDraft:
    """A rule. `to` is a role's ARN, or "profiles", or "each" profile; `each_prefix` is the folder
    whose folders get a grant each.
    """

    name: str
    to: str
    places: tuple[str, ...]
    allow: str = "READ"
    until: float | None = None
    each_prefix: str = ""

    def render(self) -> str:
        """The rule as YAML."""
        whom = {"profiles": f"{{profiles: {{domain: {DOMAIN}}}}}"}
        whom["each"] = f"{{each_profile: {{domain: {DOMAIN}}}}}"
        to = whom.get(self.to, f"{{role: '{self.to}'}}")
        on = "[" + ", ".join(f"'{place}'" for place in self.places) + "]"
        if self.each_prefix:
            on = f"{{each_prefix: '{self.each_prefix}'}}"
        end = f", until: '{_format_time(self.until)}'" if self.until is not None else ""
        return f"  - {{name: {self.name}, to: {to}, on: {on}, allow: {self.allow}{end}}}\n"


def _format_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class FileDraft:
    """A policy file. `suspended` are profiles by name and roles by ARN."""

    rules: tuple[RuleDraft, ...] = ()
    additive: bool = False
    suspended: tuple[str, ...] = ()
    spoilt: bool = False  # it is no YAML

    @property
    def broken(self) -> bool:
        """Whether the product refuses it: it is no YAML, or says nothing."""
        return self.spoilt or not (self.rules or self.suspended)

    @property
    def body(self) -> bytes:
        """What is uploaded."""
        return _render(self)


@dataclass(frozen=True)
class BoundsDraft:
    """A bounds file: whether it admits the other account, and whether it narrows policy/blue/."""

    foreign: bool = False
    narrow: bool = False
    broken: bool = False

    @property
    def body(self) -> bytes:
        """What is uploaded."""
        return _render(self)

    def allow(self, file: str, grantee: str, scope: str) -> bool:
        """Whether a grant of a file lies in the bounds."""
        if f":{OTHER_ACCOUNT}:" in grantee and not self.foreign:
            return False
        return not (self.narrow and file.startswith("policy/blue/")) or scope.startswith(NARROW)


NARROW = f"s3://{DATA}/e1/"
NO_BOUNDS = BoundsDraft()
Draft = FileDraft | BoundsDraft
_drafts: dict[bytes, Draft] = {}


def find_draft(body: bytes) -> Draft:
    """The value of a file that was uploaded in any world."""
    return _drafts[body]


@cache
def _render(draft: Draft) -> bytes:
    text = _render_bounds(draft) if isinstance(draft, BoundsDraft) else _render_policy(draft)
    body = text.encode()
    _drafts[body] = draft
    return body


def describe_file(body: bytes | None) -> str:
    """What a file says, in a line."""
    draft = _drafts.get(body) if body is not None else None
    if draft is None:
        return "is deleted"
    if isinstance(draft, BoundsDraft):
        return str(draft)
    rules = [
        f"{rule.name} {rule.allow} {' '.join(rule.places) or rule.each_prefix}"
        + (f" until {_format_time(rule.until)}" if rule.until else "")
        for rule in draft.rules
    ]
    marks = ["additive"] * draft.additive + ["broken"] * draft.broken
    return (
        "; ".join([*marks, *rules, *(f"suspends {who}" for who in draft.suspended)]) or "no rules"
    )


def _render_bounds(draft: BoundsDraft) -> str:
    if draft.broken:
        return f"version: 1\nfolders: [{draft.foreign}, {draft.narrow}\n"
    accounts = f'[own, "{OTHER_ACCOUNT}"]' if draft.foreign else "[own]"
    narrow = f'  policy/blue/: {{scopes: ["{NARROW}*"]}}\n' if draft.narrow else ""
    return f"version: 1\nfolders:\n  policy/: {{accounts: {accounts}}}\n{narrow}"


def _render_policy(draft: FileDraft) -> str:
    mode = "mode: additive\n" if draft.additive else ""
    rules = "rules:\n" + "".join(rule.render() for rule in draft.rules) if draft.rules else ""
    entries = "".join(
        f"  - {{{_name_suspended(who)}, because: stolen}}\n" for who in draft.suspended
    )
    suspend = f"suspend:\n{entries}" if entries else ""
    empty = "" if rules or suspend else "rules: []\n"
    broken = "rules: {\n" if draft.spoilt else ""
    return f"version: 1\n{mode}{rules}{suspend}{empty}{broken}"


def _name_suspended(who: str) -> str:
    return f"role: '{who}'" if ":" in who else f"profile: {DOMAIN}/{who}"


def _place(name: str) -> str:
    return f"s3://{DATA}/{name}/*"


Slot = Sequence[RuleDraft | None]
SOON, WEEKS, LATER = START + 2 * HOUR, START + 20 * DAY, START + 60 * DAY
TEAM: Slot = (
    RuleDraft("team", "profiles", (_place("Product"),), "READWRITE"),
    RuleDraft("team", "profiles", (_place("Product"),), "READ"),
    None,
)
OWN: Slot = (RuleDraft("own", "each", (f"s3://{DATA}/{{profile.folder}}/*",), "READWRITE"), None)
DOCS: Slot = (
    RuleDraft("docs", AUDITOR, (_place("docs"),)),
    RuleDraft("docs", AUDITOR, (_place("docs"),), "READWRITE"),
    RuleDraft("docs", AUDITOR, (_place("docs"),), until=SOON),
    None,
)
STATS: Slot = (None, RuleDraft("stats", AUDITOR, (_place("stats"),), "WRITE"))
WIDE: Slot = (
    None,
    None,
    RuleDraft("wide", AUDITOR, (f"s3://{DATA}/*",)),
    RuleDraft("wide", PARTNER, (_place("docs"),)),
)
EXPORT: Slot = (
    RuleDraft("export", EXPORTER, tuple(map(_place, ("e1", "e2", "e3", "e4")))),
    RuleDraft("export", EXPORTER, tuple(map(_place, ("e1", "e2")))),
    RuleDraft("export", EXPORTER, (_place("e1"), _place("e2")), until=WEEKS),
    RuleDraft("export", EXPORTER, (_place("e1"), _place("e5")), until=LATER),
    None,
)
FOLDERS: Slot = (None, RuleDraft("projects", EXPORTER, (), each_prefix=f"s3://{DATA}/projects/"))
TOO: Slot = (
    None,
    RuleDraft("docs-too", AUDITOR, (_place("docs"),)),
    RuleDraft("docs-too", AUDITOR, (_place("docs"),), until=SOON),
)
SUSPENDED: Sequence[tuple[str, ...]] = ((), (), (), ("ana",), (AUDITOR,), ("ben", EXPORTER))


@dataclass(frozen=True)
class FileKind:
    """One policy file's key, and what can stand in it."""

    key: str
    slots: tuple[Slot, ...]
    suspends: bool = False
    modes: tuple[bool, ...] = (False, False, False, True)

    def draw(self, choices: Choices) -> FileDraft:
        """One of its contents."""
        rules = tuple(filter(None, [choices.pick(slot) for slot in self.slots]))
        additive = choices.pick(self.modes)
        suspended = choices.pick(SUSPENDED) if self.suspends else ()
        return FileDraft(rules, additive, suspended)


FILES: Mapping[str, FileKind] = {
    kind.key: kind
    for kind in (
        FileKind("policy/article.yaml", (TEAM, OWN), modes=(False,)),
        FileKind("policy/audit.yaml", (DOCS, STATS, WIDE)),
        FileKind("policy/blue/exports.yaml", (EXPORT, FOLDERS, TOO), suspends=True),
    )
}


@dataclass
class Person:
    """A Studio profile in the beginning of a world: its name and role; "" has the domain's role."""

    name: str
    role: str = field(default="")
