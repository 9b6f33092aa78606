"""The jobs of the policy language: which upload starts what, as whom, into which folder."""

from dataclasses import replace

from grantor.core.policy.forms import (
    ACCESS,
    ARGUMENT,
    ARGUMENT_NAME,
    INSTANCE,
    JOB_NAME,
    OUTPUT,
    QUARANTINE,
    ROLE,
    TIME_LIMIT,
    UPLOAD,
)
from grantor.core.policy.kinds import Choice, Form, Key, Mapping, Number, Table
from grantor.core.policy.profiles import EACH_PROFILE, SHARED_ROLE
from grantor.core.problem import Fault

# The jobs that Grantor carries, each with what its code can be told besides what Grantor itself tells it.
TAKES: dict[str, dict[str, Form]] = {"abalone": {"max_quarantine": QUARANTINE, "access": ACCESS}}
AS_A_ROLE = Fault("a job can not run as a user or a group", "SageMaker runs it as a role", f"write role: {ROLE.example}")
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
            "Studio profiles: each runs the job as its own execution role, with variables of its own: "
            "`{profile.name}`, `{profile.folder}`, `{profile.tags.KEY}`.",
            "{domain: Product-Domain}",
            slips=("each_profiles", "every_profile", "each"),
        ),
    ),
    "{each_profile: {domain: Product-Domain}}",
    one_of=("role", "each_profile"),
    only_one="a job runs as one role, or as that of each profile",
    never={
        "profiles": Fault(
            "a job can not run as several profiles together",
            "one upload would start a job for each of them, all with one output",
            "write each_profile: {domain: …}, and {profile.folder} in on and output",
        ),
        "user": AS_A_ROLE,
        "directory_user": AS_A_ROLE,
        "directory_group": AS_A_ROLE,
    },
)
INSTANCES = Mapping(
    "instances",
    (
        Key(
            "type",
            INSTANCE,
            "The type of each machine. Without it: `ml.m5.xlarge`.",
            INSTANCE.example,
            slips=("instance_type", "machine", "kind", "size"),
        ),
        Key(
            "count",
            Number(1, 100, 2),
            "How many machines. Without it: 2.",
            "2",
            slips=("instance_count", "number", "nodes", "machines", "n"),
        ),
        Key(
            "volume",
            Number(1, 16_384, 30),
            "The disk of each machine, in GB. Without it: 30.",
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
        Key("name", JOB_NAME, "What reports call the job; its own in this file.", "abalone", True, ("id", "title", "job")),
        Key(
            "run",
            Choice(
                "job that Grantor carries",
                {"abalone": "features of the Abalone data for training, in sets for training and validation"},
            ),
            "Which of the jobs that Grantor carries.",
            "abalone",
            True,
            ("code", "script", "program", "entry", "entrypoint", "image", "runs"),
        ),
        Key(
            "as",
            AS,
            "As whom: the execution role that reads and writes, with the grants that rules give it.",
            "{each_profile: {domain: Product-Domain}}",
            True,
            ("to", "who", "run_as", "runs_as", "role", "execution_role", "each_profile"),
        ),
        Key(
            "on",
            UPLOAD,
            "The one object whose upload starts the job, in the data bucket.",
            UPLOAD.example,
            True,
            ("when", "trigger", "upload", "event", "object", "scope", "where", "starts_on"),
        ),
        Key(
            "input",
            replace(UPLOAD, example='"s3://{data_bucket}/Product/abalone.csv"'),
            "The one object that the job reads, in the data bucket. Without it: the uploaded one.",
            '"s3://{data_bucket}/Product/abalone.csv"',
            slips=("in", "inputs", "source", "reads", "from", "data"),
        ),
        Key(
            "output",
            OUTPUT,
            "The folder that the job writes to, in the data bucket.",
            OUTPUT.example,
            True,
            ("out", "outputs", "target", "writes", "destination", "into", "folder"),
        ),
        Key(
            "instances",
            INSTANCES,
            "The machines of each run. Without it: two of `ml.m5.xlarge` with 30 GB each.",
            INSTANCES.example,
            slips=("instance", "machines", "cluster", "resources", "nodes"),
        ),
        Key(
            "time_limit",
            TIME_LIMIT,
            "After how long a run is stopped: minutes, hours or days, up to 5d. Without it: `1h`.",
            "2h",
            slips=("timeout", "limit", "max_runtime", "time", "for", "duration"),
        ),
        Key(
            "arguments",
            Table("arguments", ARGUMENT_NAME, ARGUMENT),
            "What the job's code is told besides, each as `--NAME VALUE`.",
            '{max_quarantine: "1%"}',
            slips=("args", "parameters", "params", "options", "environment"),
        ),
        replace(SHARED_ROLE, says="That a profile that runs the job shares its execution role with others is meant."),
    ),
    "{name: …, run: …, as: …, on: …, output: …}",
    part="job",
    never={
        "allow": Fault(
            "a job grants nothing", "its role reads and writes by the grants that rules give it", "write a rule for it"
        ),
    },
)
