"""Bounds: what the policy files of a folder may grant, run and suspend, said by somebody other than
their authors.

The approvers write bounds/bounds.yaml in the policy bucket. Of the folders that a policy file lies
in, the longest decides. What a folder does not say is as in the folder above it, and for `policy/`
as in the defaults. A grant outside of its file's bounds is not wanted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from grantor.core.data_buckets import NO_BUCKETS, ConnectedBuckets
from grantor.core.diagnostics import Fault, Problem, join_some, join_words
from grantor.core.grant import PERMISSIONS, Grant, Permission
from grantor.core.machines import choose_instances
from grantor.core.policy import value_types
from grantor.core.policy.job_language import JOB_BOUNDS
from grantor.core.policy.parser import read_top
from grantor.core.policy.text_forms import SCOPE
from grantor.core.policy.value_types import Form, Key, Listing, Number, Table, version_key
from grantor.core.policy.variables import BUCKET, TextContext, Variables
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text
from grantor.core.rules import IamPrincipal, Instances, Job, ProfileName, Rule, Suspension
from grantor.core.scope import VARIABLE, find_scope_faults, normalize_scope
from grantor.settings import (
    DEFAULT_BOUND_FOLDERS,
    DEFAULT_BOUND_GRANTS,
    DEFAULT_BOUND_HOURS,
    DEFAULT_BOUND_INSTANCES,
    DEFAULT_BOUND_MACHINES,
    DEFAULT_BOUND_VOLUME_GB,
    MAX_GRANTS,
    MAX_LISTED_LOCATIONS,
)

BOUNDS_FILE = "bounds/bounds.yaml"  # its key in the policy bucket
ALL_FILES = "policy/"  # the folder of all policy files
OWN = "own"  # stands for the stack's account
HOUR = timedelta(hours=1)

FOLDER = Form(
    "a folder of policy files",
    "it is policy/ or a folder in it, with a slash at the end",
    "policy/team-blue/",
    r"policy/(?:[^/]+/)*",
)
ACCOUNT = Form(
    "an account",
    "it is own, or the 12 digits of an account ID, in quotes",
    '"111122223333"',
    r"own|[0-9]{12}",
)
PERMISSION = Form(
    "a permission",
    f"it is {join_words(PERMISSIONS)}",
    "READ",
    "|".join(PERMISSIONS),
)
SUSPENDABLE = Form(
    "whom a file may suspend",
    "it is DOMAIN/PROFILE, an ARN or a name of the directory; * and ? work as in file names",
    "Product-Domain/*",
    r"[^\[\]]+",
    longest=256,
)
FILES = value_types.Mapping(
    "a set of bounds",
    (
        Key(
            "scopes",
            Listing("a scope", SCOPE),
            "Grants lie in these scopes. Default: the data buckets.",
            '["s3://{data_bucket}/*"]',
            slips=("scope", "on", "where", "paths", "buckets"),
        ),
        Key(
            "permissions",
            Listing("a permission", PERMISSION),
            "What grants may allow. Default: everything.",
            "[READ]",
            slips=("permission", "allow", "actions"),
        ),
        Key(
            "accounts",
            Listing("an account", ACCOUNT),
            "The accounts whose roles and users may hold grants; `own` is the stack's. "
            "Default: `own`.",
            '[own, "111122223333"]',
            slips=("account", "account_ids"),
        ),
        Key(
            "grants",
            Number(1, MAX_GRANTS, DEFAULT_BOUND_GRANTS),
            f"Grants of one file, at most. Default: {DEFAULT_BOUND_GRANTS:,}.",
            "500",
            slips=("max_grants", "grant_count"),
        ),
        Key(
            "at_most",
            Number(1, MAX_GRANTS, DEFAULT_BOUND_FOLDERS),
            "The highest `at_most` of a rule for `each_prefix`. "
            f"Default: {DEFAULT_BOUND_FOLDERS:,}.",
            "500",
            slips=("folders", "max_folders"),
        ),
        Key(
            "suspend",
            Listing("whom", SUSPENDABLE),
            "Whom a file may suspend without an approval: profiles as `DOMAIN/PROFILE`, ARNs, "
            "names of the directory; `*` and `?` work as in file names. Default: everybody.",
            '["Product-Domain/*"]',
            slips=("suspensions", "may_suspend"),
        ),
        Key(
            "jobs",
            JOB_BOUNDS,
            "The machines of the jobs.",
            JOB_BOUNDS.example,
            slips=("job", "machines"),
        ),
    ),
    '{scopes: ["s3://{data_bucket}/teams/*"]}',
)
BOUNDS = value_types.Mapping(
    "a bounds file",
    (
        version_key("the language of bounds"),
        Key(
            "folders",
            Table("folders", FOLDER, FILES),
            "The bounds of each folder of policy files.",
            f"{{policy/: {FILES.example}}}",
            required=True,
            slips=("folder", "files", "paths", "bounds"),
        ),
    ),
    "version: 1, and folders: with a mapping below it",
)


@dataclass(frozen=True)
class JobBounds:
    """The machines that jobs may have."""

    machines: tuple[str, ...] = DEFAULT_BOUND_MACHINES  # globs of instance types
    count: int = DEFAULT_BOUND_INSTANCES  # of one run
    hours: int = DEFAULT_BOUND_HOURS  # of one run
    volume: int = DEFAULT_BOUND_VOLUME_GB  # of each machine

    def find_excess(self, job: Job) -> tuple[tuple[str, str, str], ...]:
        """What of the job is outside: the key of the bounds, what the job has, and what it may
        have.
        """
        has, hours = job.instances, job.time_limit / HOUR
        if has.is_auto and (chosen := self.choose_machines(0)):
            has = chosen
        is_known = any(fnmatchcase(has.type, glob) for glob in self.machines)
        kind = has.type or "instances: auto"
        found = {
            "machines": (is_known, kind, join_some(self.machines, MAX_LISTED_LOCATIONS)),
            "count": (has.count <= self.count, f"{has.count} machines", f"up to {self.count}"),
            "hours": (hours <= self.hours, f"{hours:g} hours", f"up to {self.hours}"),
            "volume": (has.volume <= self.volume, f"{has.volume:,} GB", f"up to {self.volume:,}"),
        }
        return tuple((key, had, may) for key, (fits, had, may) in found.items() if not fits)

    def choose_machines(self, size: int) -> Instances | None:
        """The machines for an input of so many bytes; None if the bounds allow none of those that
        are chosen from.
        """
        return choose_instances(size, self._allow, self.volume)

    def _allow(self, machines: Instances) -> bool:
        known = any(fnmatchcase(machines.type, glob) for glob in self.machines)
        return known and machines.count <= self.count


@dataclass(frozen=True)
class FileBounds:
    """What each policy file in one folder may do. `accounts` are IDs, and scopes have no variables
    left.
    """

    folder: str
    scopes: tuple[str, ...]
    accounts: tuple[str, ...]
    permissions: tuple[str, ...] = tuple(PERMISSIONS)
    grants: int = DEFAULT_BOUND_GRANTS  # of one file
    at_most: int = DEFAULT_BOUND_FOLDERS  # of one rule for each_prefix
    suspend: tuple[str, ...] = ("*",)  # globs
    jobs: JobBounds = field(default_factory=JobBounds)
    leaving: tuple[str, ...] = ()  # scopes of the buckets that are being removed from the stack

    def explain_leaving(self, what: str) -> Fault:
        """Say that something is in a bucket that is being removed from the stack."""
        why = f"it is being removed from the stack: {join_some(self.leaving, MAX_LISTED_LOCATIONS)}"
        remedy = "take the rule out, or keep the bucket in the parameters of the stack"
        return Fault(f"{what} is in a bucket that leaves", why, remedy)

    def explain_excess(self, what: str, key: str, may: str) -> Fault:
        """Say that something is outside of the bound `key`, and who can widen it."""
        why = f"the bounds of the files in {self.folder} allow {may}"
        remedy = f"stay within that, or ask an approver to widen {key} of {self.folder} in "
        return Fault(f"{what} is outside of the bounds", why, remedy + BOUNDS_FILE)


@dataclass(frozen=True)
class Bounds:
    """The bounds of all policy files, by folder; ALL_FILES is always among them."""

    folders: Mapping[str, FileBounds]

    @classmethod
    def build_default(
        cls, account: str, data_bucket: str, buckets: ConnectedBuckets = NO_BUCKETS
    ) -> "Bounds":
        """Those that hold without a bounds file. `data_bucket` is the first of the data buckets."""
        names = dict.fromkeys((data_bucket, *buckets.names))
        leaving = tuple(f"s3://{name}/*" for name in buckets.leaving)
        scopes = tuple(f"s3://{name}/*" for name in names)
        return cls({ALL_FILES: FileBounds(ALL_FILES, scopes, (account,), leaving=leaving)})

    def find(self, file: str) -> FileBounds:
        """The bounds of a policy file, by its key."""
        around = (folder for folder in self.folders if file.startswith(folder))
        return self.folders[max(around, key=len, default=ALL_FILES)]

    def find_job_faults(self, job: Job) -> tuple[Fault, ...]:
        """What of the job is outside of its file's bounds."""
        own = self.find(job.file)
        return tuple(
            own.explain_excess(had, f"jobs: {key}", may)
            for key, had, may in own.jobs.find_excess(job)
        )

    def find_suspensions_outside(self, suspensions: Iterable[Suspension]) -> tuple[Suspension, ...]:
        """The suspensions of people whom their file may not suspend without an approval."""
        return tuple(
            one
            for one in suspensions
            if not any(
                fnmatchcase(_name_suspended(one), glob) for glob in self.find(one.file).suspend
            )
        )


@dataclass
class RuleBounds:
    """Checks the grants of one rule; cheap, because it sees each of very many grants."""

    rule: Rule
    bounds: FileBounds
    faults: dict[Fault, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index what every grant is compared with."""
        scopes = self.bounds.scopes
        self.stems = tuple(scope[:-1] for scope in scopes if scope.endswith("*"))
        self.objects = frozenset(scopes)
        self.leaving = tuple(scope[:-1] for scope in self.bounds.leaving)
        rights = {one for name in self.bounds.permissions for one in _list_rights(name)}
        self.has_rights = rights.issuperset(_list_rights(self.rule.allow))

    def allow(self, grant: Grant) -> bool:
        """Whether the grant lies within the bounds; if not, that is noted."""
        own, scope = self.bounds, grant.scope
        is_iam = grant.grantee.kind == "IAM"  # the directory belongs to no account
        account = grant.grantee.identifier.split(":")[4] if is_iam else ""
        # The rule's own words are the same in every run, whatever it looks at.
        checks = (
            (scope.startswith(self.stems) or scope in self.objects, self.rule.on, "scopes"),
            (self.has_rights, str(self.rule.allow), "permissions"),
            (not is_iam or account in own.accounts, f"account {account}", "accounts"),
        )
        if is_leaving := bool(self.leaving) and scope.startswith(self.leaving):
            self.faults[own.explain_leaving(self.rule.on)] = None
        refused = [(what, key) for fits, what, key in checks if not fits]
        for what, key in refused:
            may = join_some(getattr(own, key), MAX_LISTED_LOCATIONS)
            self.faults[own.explain_excess(what, key, may)] = None
        return not refused and not is_leaving


def parse_bounds(
    file: str,
    body: bytes,
    account: str,
    data_bucket: str,
    buckets: ConnectedBuckets = NO_BUCKETS,
) -> "Bounds | tuple[Problem, ...]":
    """The bounds of a file, or all that is wrong with it, in the file's order."""
    reader = PolicyReader(file)
    reader.main_key = "folders"
    top = read_top(reader, body, BOUNDS)
    given = top.fields("folders") if top else None
    folders = dict(Bounds.build_default(account, data_bucket, buckets).folders)
    context = TextContext(reader, Variables({}), data_bucket)
    listed = [
        (folder, values)
        for folder, values in (given.values.items() if given else ())
        if isinstance(values, Fields)
    ]
    for folder, values in sorted(listed, key=lambda one: len(one[0])):
        above = Bounds(folders).find(folder)
        changes = _parse_file_bounds(values, above, account, context)
        folders[folder] = replace(above, folder=folder, **changes)
    return reader.sorted_problems() or Bounds(folders)


def _parse_file_bounds(
    given: Fields, above: FileBounds, account: str, context: TextContext
) -> dict[str, Any]:
    """What a folder says itself."""
    jobs = given.fields("jobs")
    scopes = [_check_scope(one, context) for one in _texts(given, "scopes")]
    accounts = (account if one.value == OWN else one.value for one in _texts(given, "accounts"))
    found: dict[str, Any] = {
        "scopes": tuple(context.fill_bucket(normalize_scope(one)) for one in scopes if one),
        "accounts": tuple(accounts),
        "permissions": tuple(one.value for one in _texts(given, "permissions")),
        "suspend": tuple(one.value for one in _texts(given, "suspend")),
        **_parse_numbers(given, ("grants", "at_most")),
    }
    if jobs:
        machines = tuple(one.value for one in _texts(jobs, "machines"))
        own: dict[str, Any] = {"machines": machines} if machines else {}
        own |= _parse_numbers(jobs, ("count", "hours", "volume"))
        found["jobs"] = replace(above.jobs, **own)
    return {key: value for key, value in found.items() if value}


def _parse_numbers(given: Fields, keys: Iterable[str]) -> dict[str, int]:
    return {key: int(text.value) for key in keys if (text := given.text(key))}


def _texts(given: Fields, key: str) -> list[Text]:
    return [one for one in given.items(key) if isinstance(one, Text)]


def _check_scope(given: Text, context: TextContext) -> str | None:
    for found in VARIABLE.findall(given.value):
        if found != f"{{{BUCKET}}}":
            why = "bounds are the same for every profile and every folder"
            remedy = "write the scope around all of them"
            context.reader.add(given, f"{found} in the bounds", why, remedy)
            return None
    return context.check_text(given, partial(find_scope_faults, raw_prefix=True))


def _list_rights(permission: str) -> tuple[Permission, ...]:
    """The permissions that it is made of."""
    combined = PERMISSIONS[Permission(permission)].combines
    return combined or (Permission(permission),)


def _name_suspended(suspension: Suspension) -> str:
    who = suspension.who
    if isinstance(who, ProfileName):
        return f"{who.domain}/{who.name}"
    return who.arn if isinstance(who, IamPrincipal) else who.who
