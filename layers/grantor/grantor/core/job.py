"""The jobs of a policy file, as values: which upload starts what, as whom, on which object, into which folder."""

from dataclasses import dataclass
from datetime import timedelta

from grantor.core.whom import Principal, Profiles

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
