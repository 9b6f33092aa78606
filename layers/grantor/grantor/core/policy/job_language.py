"""The jobs of the policy language: what a policy file says about which upload starts what, and what
the bounds file says about the machines.
"""

from dataclasses import replace
from datetime import timedelta

from grantor.core.diagnostics import Fault
from grantor.core.policy.grantee_types import EACH_PROFILE, GRANTEE_TYPES, SHARED_ROLE
from grantor.core.policy.text_forms import (
    ARGUMENT,
    ARGUMENT_NAME,
    AUTO,
    INSTANCE,
    JOB_NAME,
    JOB_TYPE_NAME,
    OUTPUT,
    QUIET,
    ROLE,
    TIME_LIMIT,
    UPLOAD,
)
from grantor.core.policy.value_types import Either, Form, Key, Listing, Mapping, Number, Table
from grantor.limits import MAX_PROCESSING_INSTANCES, MAX_PROCESSING_TIME, MAX_PROCESSING_VOLUME_GB
from grantor.settings import DEFAULT_BOUND_HOURS, DEFAULT_BOUND_INSTANCES, DEFAULT_BOUND_VOLUME_GB

INPUT = replace(UPLOAD, example='"s3://{data_bucket}/Product/abalone.csv"')
NOT_A_ROLE = Fault(
    "a job cannot run as a user or a group",
    "SageMaker runs it as a role",
    f"write role: {ROLE.example}",
)
NOT_ROLES = {each.key.name for each in GRANTEE_TYPES} - {"role", "profiles", "each_profile"}
AS = Mapping(
    "as",
    (
        Key(
            "role",
            ROLE,
            "An IAM role, by its ARN.",
            ROLE.example,
            slips=("iam_role", "role_arn", "arn", "roles", "execution_role"),
        ),
        Key(
            "each_profile",
            EACH_PROFILE,
            "Studio profiles: each runs the job as its own execution role, with its own variables: "
            "`{profile.name}`, `{profile.folder}`, `{profile.tags.KEY}`.",
            EACH_PROFILE.example,
            slips=("each_profiles", "every_profile", "each"),
        ),
    ),
    "{each_profile: {domain: Product-Domain}}",
    one_of=("role", "each_profile"),
    only_one="a job runs as one role, or as the role of each profile",
    never={
        "profiles": Fault(
            "a job cannot run as several profiles together",
            "one upload would start a job for each of them, all with the same output",
            "write each_profile: {domain: …}, and {profile.folder} in on and output",
        ),
        **dict.fromkeys(NOT_ROLES, NOT_A_ROLE),
    },
)
INSTANCES = Mapping(
    "instances",
    (
        Key(
            "type",
            INSTANCE,
            "The type of each machine. Default: `ml.m5.xlarge`.",
            INSTANCE.example,
            slips=("instance_type", "machine", "kind", "size"),
        ),
        Key(
            "count",
            Number(1, MAX_PROCESSING_INSTANCES, 2),
            "The number of machines. Default: 2.",
            "2",
            slips=("instance_count", "number", "nodes", "machines", "n"),
        ),
        Key(
            "volume",
            Number(1, MAX_PROCESSING_VOLUME_GB, 30),
            "The disk of each machine, in GB. Default: 30.",
            "30",
            slips=("volume_size", "volume_size_in_gb", "disk", "storage", "gb"),
        ),
    ),
    "{type: ml.m5.xlarge, count: 2, volume: 30}",
    one_of=("type", "count", "volume"),
)
JOB = Mapping(
    "a job",
    (
        Key(
            "name",
            JOB_NAME,
            "The job's name in reports; unique in this file.",
            "abalone",
            required=True,
            slips=("id", "title", "job"),
        ),
        Key(
            "run",
            JOB_TYPE_NAME,
            "The job type: a folder in `spark_jobs/` that ships with the stack.",
            JOB_TYPE_NAME.example,
            required=True,
            slips=("code", "script", "program", "entry", "entrypoint", "image", "runs"),
        ),
        Key(
            "as",
            AS,
            "The execution role that reads and writes, with the grants that rules give it.",
            AS.example,
            required=True,
            slips=("to", "who", "run_as", "runs_as", "role", "execution_role", "each_profile"),
        ),
        Key(
            "on",
            UPLOAD,
            "The object whose upload starts the job, or a pattern of objects.",
            UPLOAD.example,
            required=True,
            slips=("when", "trigger", "upload", "event", "object", "scope", "where", "starts_on"),
        ),
        Key(
            "quiet",
            QUIET,
            "Wait until nothing has arrived for so long, then make one run over all objects that "
            "match: seconds or minutes, from 10s to 15m.",
            QUIET.example,
            slips=("batch", "wait", "pause", "debounce", "settle", "window", "delay"),
        ),
        Key(
            "input",
            INPUT,
            "The object that the job reads, or a pattern of objects. Default: what `on` says.",
            INPUT.example,
            slips=("in", "inputs", "source", "reads", "from", "data"),
        ),
        Key(
            "output",
            OUTPUT,
            "The folder that the job writes to.",
            OUTPUT.example,
            required=True,
            slips=("out", "outputs", "target", "writes", "destination", "into", "folder"),
        ),
        Key(
            "instances",
            Either(AUTO, INSTANCES, takes_lists=False),
            "The machines of each run; `auto` chooses them by the size of the input. "
            "Default: two `ml.m5.xlarge` with 30 GB each.",
            INSTANCES.example,
            slips=("instance", "machines", "cluster", "resources", "nodes"),
        ),
        Key(
            "time_limit",
            TIME_LIMIT,
            "The time after which a run is stopped: minutes, hours or days, up to 5d. "
            "Default: `1h`.",
            "2h",
            slips=("timeout", "limit", "max_runtime", "time", "for", "duration"),
        ),
        Key(
            "arguments",
            Table("arguments", ARGUMENT_NAME, ARGUMENT),
            "Values for the parameters of the job type, each passed as `--NAME VALUE`.",
            '{max_quarantine: "1%"}',
            slips=("args", "parameters", "params", "options", "environment"),
        ),
        replace(
            SHARED_ROLE,
            description="Accept that a profile that runs the job shares its execution role "
            "with others.",
        ),
    ),
    "{name: …, run: …, as: …, on: …, output: …}",
    part="job",
    never={
        "allow": Fault(
            "a job grants nothing",
            "its role reads and writes with the grants that rules give it",
            "write a rule for it",
        ),
    },
)
MACHINE = Form(
    "an instance type or a glob",
    "in a glob * matches any number of characters and ? matches one",
    "ml.m5.*",
    r"ml\.[a-z0-9*?.-]+",
)
# What a folder's bounds say about jobs: `jobs` in bounds/bounds.yaml.
JOB_BOUNDS = Mapping(
    "jobs",
    (
        Key(
            "machines",
            Listing("an instance type", MACHINE),
            "The instance types that jobs may use; `*` and `?` work as in file names.",
            "[ml.m5.large, ml.m5.xlarge]",
            slips=("types", "instances", "instance_types", "type"),
        ),
        Key(
            "count",
            Number(1, MAX_PROCESSING_INSTANCES, DEFAULT_BOUND_INSTANCES),
            "Machines of one run, at most.",
            "4",
            slips=("instance_count", "number"),
        ),
        Key(
            "hours",
            Number(1, MAX_PROCESSING_TIME // timedelta(hours=1), DEFAULT_BOUND_HOURS),
            "Hours of one run, at most.",
            "8",
            slips=("time_limit", "time", "duration"),
        ),
        Key(
            "volume",
            Number(1, MAX_PROCESSING_VOLUME_GB, DEFAULT_BOUND_VOLUME_GB),
            "GB of the data volume of each machine, at most.",
            "100",
            slips=("volume_gb", "disk", "size"),
        ),
    ),
    "{machines: [ml.m5.xlarge], count: 4, hours: 8}",
)
