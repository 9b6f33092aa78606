"""Whom a rule is for, and as whom a job runs, as a policy file says it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from grantor.core.grant import Permission


@dataclass(frozen=True, order=True)
class Principal:
    """An IAM role or user by its ARN, which may hold {prefix.name}."""

    arn: str


@dataclass(frozen=True, order=True)
class Profiles:
    """Studio profiles of a domain: all of them, or those whose name fits one of `names` (names or globs) and that carry all `tags`.

    `each` is true when every one of them has variables of its own. A tag's value may hold {prefix.name}.
    """

    domain: str
    names: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    each: bool = False


@dataclass(frozen=True, order=True)
class Directory:
    """A user or group of IAM Identity Center: `kind` as Access Grants names it, and a name or an id, which may hold {prefix.name}."""

    kind: str  # DIRECTORY_USER or DIRECTORY_GROUP
    who: str


# What Grantor itself tells the job's code, as --name value.
TOLD = (
    "account_id", "s3_input_bucket", "s3_input_key_prefix", "s3_output_bucket", "s3_output_key_prefix",
    "run_id", "input_etag", "input_version", "job_name", "summary",
)  # fmt: skip
LONGEST = 256  # characters of one string in ContainerArguments (SageMaker's model): of keys and prefixes, too, which are told so


@dataclass(frozen=True, order=True)
class Instances:
    """The machines of a processing job: their type as SageMaker names it, how many, and the volume of each in GB."""

    type: str = "ml.m5.xlarge"
    count: int = 2
    volume: int = 30


@dataclass(frozen=True, order=True)
class Job:
    """One job. Variables of the file itself are filled in; those of profiles still stand in `on`, `input`, `output` and `arguments`."""

    file: str
    name: str
    run: str  # which of the jobs that Grantor carries
    runs_as: Principal | Profiles  # the execution role, or the profiles whose execution roles run it, each for itself
    on: str  # s3://bucket/key, one object, whose upload starts the job
    output: str  # s3://bucket/folder/, with a slash at its end
    input: str = ""  # s3://bucket/key; empty is the uploaded object itself
    instances: Instances = Instances()
    time_limit: timedelta = timedelta(hours=1)
    arguments: tuple[tuple[str, str], ...] = ()  # passed to the job's code as --name value
    line: int = 1
    column: int = 1
    shared_role: bool = False  # the job accepts that a profile's role is shared

    @property
    def id(self) -> str:
        """How everything else refers to the job: its file and its name.

        >>> Job("policy/a.yaml", "abalone", "abalone", Principal("arn:aws:iam::111122223333:role/a"), "s3://b/a.csv", "s3://b/out/").id
        'policy/a.yaml#abalone'
        """
        return f"{self.file}#{self.name}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"job {self.name}"

    @property
    def reads(self) -> str:
        """The object that it reads."""
        return self.input or self.on


@dataclass(frozen=True, order=True)
class Start:
    """One job that an upload starts, all variables filled in, in the job's arguments as well."""

    job: Job
    role: str  # ARN
    profile: str  # Domain/name; empty for a job that runs as a role of its own
    upload: str  # s3://bucket/key
    input: str  # s3://bucket/key
    output: str  # s3://bucket/folder/


class Mode(StrEnum):
    """What becomes of a grant whose last rule is gone: an authoritative file takes it away, an additive one leaves it."""

    AUTHORITATIVE = "authoritative"
    ADDITIVE = "additive"


@dataclass(frozen=True, order=True)
class Rule:
    """One rule. Variables of the file itself are filled in; those of profiles and prefixes still stand in it."""

    file: str
    name: str
    to: Principal | Profiles | Directory
    on: str  # a scope: s3://bucket/*, s3://bucket/prefix/* or, for one object, s3://bucket/key
    allow: Permission
    line: int = 1
    column: int = 1
    each_prefix: str = ""  # s3://bucket/folder/ : one grant for each folder in it, as {prefix.name}
    excepts: tuple[str, ...] = ()  # scopes below `on` that the rule does not mean
    until: datetime | None = None  # aware, UTC
    lasts: timedelta | None = None  # from the profile's creation
    application: str = ""
    shared_role: bool = False  # the rule accepts that a profile's role is shared
    raw_prefix: bool = False  # the rule accepts a scope that ends inside a name

    @property
    def id(self) -> str:
        """How everything else refers to the rule: its file and its name.

        >>> Rule("policy/a.yaml", "own", Principal("arn:aws:iam::111122223333:role/a"), "s3://b/*", Permission.READ).id
        'policy/a.yaml#own'
        """
        return f"{self.file}#{self.name}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"rule {self.name}"


@dataclass(frozen=True)
class Policy:
    """What one file says; `file` is its key in the policy bucket."""

    file: str
    rules: tuple[Rule, ...]
    mode: Mode = Mode.AUTHORITATIVE
    jobs: tuple[Job, ...] = ()
