"""Rules and jobs as values: what a policy file says once it has been parsed.

The variables of the file itself are filled in. Those of profiles and folders remain, because each
grant has other values.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from grantor.core.expectations import PolicyTests
from grantor.core.grant import Permission

# Meant to differ between any two profiles of a domain.
PROFILE_VARIABLES = ("{profile.name}", "{profile.folder}")
DOMAIN_VARIABLE = "{domain.name}"  # differs between profiles of two domains
TAG_VARIABLE = "{profile.tags."  # how the variable of a tag begins

Tags = tuple[tuple[str, str], ...]  # keys and values, sorted


def is_glob(text: str) -> bool:
    """Whether a name of a profile or domain stands for several.

    >>> is_glob("team-*"), is_glob("userA")
    (True, False)
    """
    return "*" in text or "?" in text


@dataclass(frozen=True)
class IamPrincipal:
    """An IAM role or user by its ARN, which may contain {prefix.name}."""

    arn: str


@dataclass(frozen=True)
class ProfileSelector:
    """Studio profiles of some domains (names or globs): those whose name matches one of `names`
    (names or globs) and that carry all `tags`, without those whose name matches one of
    `except_names` or that carry all tags of one of `except_tags`.

    Without any of these, all of the domains. With `each`, every profile has variables of its own. A
    tag's value may contain {prefix.name}.
    """

    domains: tuple[str, ...]
    names: tuple[str, ...] = ()
    tags: Tags = ()
    each: bool = False
    except_names: tuple[str, ...] = ()
    except_tags: tuple[Tags, ...] = ()

    @property
    def needs_tags(self) -> bool:
        """Whether tags decide who is selected."""
        return bool(self.tags or self.except_tags)

    @property
    def has_one_domain(self) -> bool:
        """Whether it names a single domain, and no glob."""
        return len(self.domains) == 1 and not is_glob(self.domains[0])


@dataclass(frozen=True)
class DirectoryName:
    """A user or group of IAM Identity Center, by name or id, which may contain {prefix.name}."""

    kind: str  # the grantee type of S3 Access Grants; see core/policy/grantee_types.py
    who: str


@dataclass(frozen=True)
class ProfileQuery:
    """What a rule or a job needs to know about Studio profiles: which it is for, and what depends
    on each of them.

    The reader reads by it, and profile_conflicts.py judges by it. Neither needs to know whether a
    rule or a job asks.
    """

    selector: ProfileSelector
    scope: str  # what each profile reaches; may contain variables
    # What else depends on the profile: a rule's exceptions, a job's texts with a tag.
    texts: tuple[str, ...] = ()
    until: datetime | None = None  # aware, UTC
    lasts: timedelta | None = None  # from the profile's creation
    until_tag: str = ""  # the key of the profile's tag that says until when
    shared_role: bool = False  # it accepts that a profile's role is shared
    follows_folders: bool = False  # it also depends on which folders exist
    asker: str = "rule"  # what messages call it
    reach: str = "scope"  # what messages call `scope`

    @property
    def needs_tags(self) -> bool:
        """Whether the profiles' tags must be read, which costs a call for each profile."""
        return (
            self.selector.needs_tags
            or bool(self.until_tag)
            or any(TAG_VARIABLE in text for text in (self.scope, *self.texts))
        )

    @property
    def needs_neighbours(self) -> bool:
        """Whether profiles that share a role or a folder with a selected one must be read, not only
        named.
        """
        return self.needs_tags or bool(self.lasts)

    @property
    def ends_inside_name(self) -> bool:
        """Whether the scope covers all names that begin alike, as s3://data/team* does."""
        return self.scope.endswith("*") and not self.scope.endswith("/*")


# What Grantor itself passes to the job's code, as --name value.
RESERVED_ARGUMENTS = (
    "account_id",
    "s3_input_bucket",
    "s3_input_key_prefix",
    "s3_output_bucket",
    "s3_output_key_prefix",
    "run_id",
    "input_etag",
    "input_version",
    "job_name",
    "summary",
    "job",
    "inputs",
    "help",
)


@dataclass(frozen=True)
class Instances:
    """The machines of a processing job: their type as SageMaker names it, how many, and the volume
    of each in GB.
    """

    type: str = "ml.m5.xlarge"
    count: int = 2
    volume: int = 30

    @property
    def is_auto(self) -> bool:
        """Whether they are chosen by the size of each input; see core/machines.py."""
        return not self.type


AUTO_INSTANCES = Instances("", 0, 0)


@dataclass(frozen=True)
class Job:
    """One job. Variables of profiles remain in `on`, `input`, `output` and `arguments`, and so do
    captures, {word}, whose values come from the key of an upload.

    `on` and `input` are patterns as in key_pattern.py.
    """

    file: str
    name: str
    run: str  # the job type: a folder in spark_jobs/ that ships with the stack
    # The execution role, or profiles, each of which runs it as its own role.
    runs_as: IamPrincipal | ProfileSelector
    on: str  # s3://bucket/key: the objects whose upload starts the job
    output: str  # s3://bucket/folder/, with a slash at its end
    input: str = ""  # s3://bucket/key; empty is what `on` says
    # One run over all objects that match, once nothing has arrived for so long; 0 is none.
    quiet: timedelta = timedelta()
    instances: Instances = Instances()
    time_limit: timedelta = timedelta(hours=1)
    arguments: tuple[tuple[str, str], ...] = ()  # passed to the job's code as --name value
    line: int = 1
    column: int = 1
    shared_role: bool = False  # the job accepts that a profile's role is shared
    owner: str = ""  # whom to ask about it, as its file says

    @property
    def id(self) -> str:
        """How everything else refers to the job: its file and its name.

        >>> role = IamPrincipal("arn:aws:iam::111122223333:role/a")
        >>> Job("policy/a.yaml", "abalone", "abalone", role, "s3://b/a.csv", "s3://b/out/").id
        'policy/a.yaml#abalone'
        """
        return f"{self.file}#{self.name}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"job {self.name}"

    @property
    def reads(self) -> str:
        """The objects that it reads, as a pattern."""
        return self.input or self.on

    @property
    def profile_query(self) -> ProfileQuery | None:
        """What the job needs to know about profiles; None if it runs as a role of its own."""
        return (
            self.query_profiles(self.runs_as) if isinstance(self.runs_as, ProfileSelector) else None
        )

    def query_profiles(self, selector: ProfileSelector) -> ProfileQuery:
        """What a job with this selector needs to know about profiles."""
        texts = (self.on, self.input, *(value for _, value in self.arguments))
        tagged = tuple(text for text in texts if TAG_VARIABLE in text)
        return ProfileQuery(
            selector,
            f"{self.output}*",
            tagged,
            shared_role=self.shared_role,
            asker="job",
            reach="output",
        )


@dataclass(frozen=True)
class Start:
    """One job that an upload starts, with all variables filled in, also in the job's arguments.

    What it waits for and reads may be globs: then the run is over all objects that match.
    """

    job: Job
    role: str  # ARN
    profile: str  # Domain/name; empty for a job that runs as a role of its own
    upload: str  # s3://bucket/key
    input: str  # s3://bucket/key
    output: str  # s3://bucket/folder/

    @property
    def is_batch(self) -> bool:
        """Whether its input is all objects that match a glob."""
        return "*" in self.input


class Mode(StrEnum):
    """What happens to a grant whose last rule is gone: an authoritative file revokes it, an
    additive file keeps it.
    """

    AUTHORITATIVE = "authoritative"
    ADDITIVE = "additive"


@dataclass(frozen=True)
class Rule:
    """One rule. Variables of profiles and prefixes remain in its texts.

    A rule of a file that lists several grantees or places is several of these, which have one id:
    each grantee at each place.
    """

    file: str
    name: str
    to: IamPrincipal | ProfileSelector | DirectoryName
    on: str  # a scope: s3://bucket/*, s3://bucket/prefix/* or, for one object, s3://bucket/key
    allow: Permission
    line: int = 1
    column: int = 1
    each_prefix: str = ""  # s3://bucket/folder/ : one grant for each folder in it, as {prefix.name}
    at_most: int = 0  # folders in `each_prefix`; 0 if the rule does not say
    excepts: tuple[str, ...] = ()  # scopes below `on` that the rule excludes
    until: datetime | None = None  # aware, UTC
    lasts: timedelta | None = None  # from the profile's creation
    application: str = ""
    shared_role: bool = False  # the rule accepts that a profile's role is shared
    raw_prefix: bool = False  # the rule accepts a scope that ends inside a name
    until_tag: str = ""  # the key of the profile's tag that says until when
    owner: str = ""  # whom to ask about it
    description: str = ""
    review: timedelta | None = None  # how long a confirmation holds

    @property
    def id(self) -> str:
        """How everything else refers to the rule: its file and its name.

        >>> role = IamPrincipal("arn:aws:iam::111122223333:role/a")
        >>> Rule("policy/a.yaml", "own", role, "s3://b/*", Permission.READ).id
        'policy/a.yaml#own'
        """
        return f"{self.file}#{self.name}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"rule {self.name}"

    @property
    def texts(self) -> tuple[str, ...]:
        """The scope and the exceptions."""
        return self.on, *self.excepts

    @property
    def profile_query(self) -> ProfileQuery | None:
        """What the rule needs to know about profiles; None if it is not for profiles."""
        return self.query_profiles(self.to) if isinstance(self.to, ProfileSelector) else None

    def query_profiles(self, selector: ProfileSelector) -> ProfileQuery:
        """What a rule with this selector needs to know about profiles."""
        return ProfileQuery(
            selector, self.on, self.excepts, self.until, self.lasts, self.until_tag,
            self.shared_role, follows_folders=bool(self.each_prefix or self.excepts),
        )  # fmt: skip


@dataclass(frozen=True)
class ProfileName:
    """One Studio profile, by its domain and its name."""

    domain: str
    name: str


@dataclass(frozen=True)
class Suspension:
    """Somebody to whom no rule of any file gives anything, and whose grants go without asking."""

    file: str
    who: IamPrincipal | DirectoryName | ProfileName
    because: str
    until: datetime | None = None  # aware, UTC
    line: int = 1
    column: int = 1

    @property
    def name(self) -> str:
        """Whom it names, as parse_suspended reads it."""
        if isinstance(self.who, ProfileName):
            return f"profile {self.who.domain}/{self.who.name}"
        if isinstance(self.who, IamPrincipal):
            return self.who.arn
        return f"{self.who.kind.lower()} {self.who.who}"

    @property
    def id(self) -> str:
        """How everything else refers to it: its file and whom it names."""
        return f"{self.file}#{self.name}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"suspension of {self.name}"


def parse_suspended(name: str) -> IamPrincipal | DirectoryName | ProfileName:
    """Whom Suspension.name names: an ARN, profile DOMAIN/NAME, directory_group NAME and so on."""
    kind, _, who = name.partition(" ")
    if kind == "profile":
        return ProfileName(*who.split("/", 1))
    return DirectoryName(kind.upper(), who) if who else IamPrincipal(name)


@dataclass(frozen=True)
class Policy:
    """What one policy file says; `file` is its key in the policy bucket."""

    file: str
    rules: tuple[Rule, ...]
    mode: Mode = Mode.AUTHORITATIVE
    jobs: tuple[Job, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    owner: str = ""  # whom to ask about it, and about rules and jobs that do not say
    description: str = ""
    tests: PolicyTests | None = None  # of its own

    @property
    def names_owner(self) -> bool:
        """Whether it says of any rule whom to ask, or what it is for."""
        said = (rule.owner or rule.description for rule in self.rules)
        return bool(self.owner or self.description) or any(said)

    def count_rules(self) -> int:
        """How many rules the file has; one that lists several grantees or places counts once."""
        return len({rule.name for rule in self.rules})
