"""The jobs of the policy language: which upload starts what, as whom, into which folder."""

from dataclasses import replace

from grantor.core.diagnostics import Fault
from grantor.core.policy.value_types import (
    ACCESS,
    APPLICATION,
    ARGUMENT,
    ARGUMENT_NAME,
    BASE,
    DIRECTORY_GROUP,
    DIRECTORY_USER,
    EACH_PROFILE,
    END,
    INSTANCE,
    JOB_NAME,
    OBJECT,
    OUTPUT,
    PROFILES,
    QUARANTINE,
    ROLE,
    RULE_NAME,
    SCOPE,
    SHARED_ROLE,
    SPAN,
    TIME_LIMIT,
    UPLOAD,
    USER,
    VALUE,
    VARIABLE_NAME,
    Choice,
    Clash,
    Either,
    Flag,
    Form,
    Idle,
    Key,
    Listing,
    Mapping,
    Number,
    Reserved,
    Table,
    Version,
)

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


IAM = ("role", "user")
STUDIO = ("profiles", "each_profile")
DIRECTORY = ("directory_user", "directory_group")
TO = Mapping(
    "to",
    (
        Key("role", ROLE, "An IAM role, by its ARN.", ROLE.example, slips=("iam_role", "role_arn", "arn", "roles")),
        Key("user", USER, "An IAM user, by its ARN.", USER.example, slips=("iam_user", "user_arn", "users")),
        Key(
            "profiles",
            PROFILES,
            "Studio profiles: the rule is for the execution role of each.",
            "{domain: Product-Domain}",
            slips=("profile", "user_profiles"),
        ),
        Key(
            "each_profile",
            EACH_PROFILE,
            "Studio profiles, each with variables of its own: `{profile.name}`, `{profile.folder}`, `{profile.tags.KEY}`.",
            "{domain: Product-Domain}",
            slips=("each_profiles", "every_profile", "each"),
        ),
        Key(
            "directory_user",
            DIRECTORY_USER,
            "A user of IAM Identity Center, by name or id.",
            DIRECTORY_USER.example,
            slips=("sso_user", "identity_center_user"),
        ),
        Key(
            "directory_group",
            DIRECTORY_GROUP,
            "A group of IAM Identity Center, by name or id.",
            "Auditors",
            slips=("group", "groups", "sso_group", "identity_center_group"),
        ),
    ),
    "{profiles: {domain: Product-Domain}}",
    one_of=IAM + STUDIO + DIRECTORY,
    only_one="a rule is for one kind of grantee",
)
ON = Mapping(
    "on",
    (
        Key("scope", SCOPE, "The scope, where `on` says more than that.", '"s3://{data_bucket}/*"', slips=("path", "prefix")),
        Key(
            "each_prefix",
            BASE,
            "One grant for each folder in this one, as uploads make them; `{prefix.name}` is the folder's name. "
            "Without `scope`, each folder is meant with all that is in it.",
            BASE.example,
            slips=("each_folder", "every_prefix", "prefixes"),
        ),
        Key(
            "except",
            Listing("a scope", SCOPE),
            "Scopes below this one that the rule does not mean.",
            '["s3://{data_bucket}/UserA/*"]',
            slips=("exclude", "excludes", "excepts", "but_not", "not"),
        ),
        Key("object", OBJECT, "One single object, whatever its name looks like.", OBJECT.example, slips=("key", "file")),
    ),
    '{scope: "s3://{data_bucket}/*"}',
    one_of=("scope", "each_prefix", "object"),
    clashes=(
        Clash("scope", "object", "a rule is on one place", "write a rule for each"),
        Clash("each_prefix", "object", "a rule is on one place", "write a rule for each"),
        Clash("except", "object", "there is nothing below a single object", "take except out"),
        Clash(
            "each_prefix",
            "except",
            "which folders there are shows only later, so nobody can see what would be left out",
            "write a rule for each folder that is meant, or take except out",
        ),
    ),
)
RULE = Mapping(
    "a rule",
    (
        Key(
            "name",
            RULE_NAME,
            "What reports call the rule; its own in this file.",
            "own-folder",
            True,
            ("id", "title", "sid", "rule"),
        ),
        Key(
            "to",
            TO,
            "Who.",
            "{profiles: {domain: Product-Domain}}",
            True,
            ("who", "for_whom", "grantee", "principal", "grantees"),
        ),
        Key("on", Either(SCOPE, ON), "Where.", SCOPE.example, True, ("where", "scope", "path", "prefix", "resource", "bucket")),
        Key(
            "allow",
            Choice(
                "permission",
                {"READ": "get and list", "WRITE": "put and delete, without reading", "READWRITE": "both"},
                {"r": "READ", "readonly": "READ", "get": "READ", "list": "READ"}
                | {"w": "WRITE", "writeonly": "WRITE", "put": "WRITE", "delete": "WRITE"}
                | {"rw": "READWRITE", "writeread": "READWRITE", "all": "READWRITE", "full": "READWRITE", "*": "READWRITE"},
            ),
            "What: READ is get and list, WRITE is put and delete, READWRITE both.",
            "READWRITE",
            True,
            ("permission", "permissions", "can", "access", "action", "actions", "grant", "effect"),
        ),
        Key(
            "until",
            END,
            "When the rule ends: a date (through its end, in UTC) or a time in UTC.",
            "2027-03-31",
            slips=("expires", "expiry", "expiration", "end", "ends", "valid_until", "not_after"),
        ),
        Key(
            "for",
            SPAN,
            "How long the rule lasts from the making of each profile: hours, days or weeks.",
            "30d",
            slips=("duration", "ttl", "lasts", "days", "period"),
        ),
        Key(
            "application",
            APPLICATION,
            "Only through this Identity Center application; for directory users and groups.",
            APPLICATION.example,
            slips=("app", "application_arn", "through"),
        ),
        SHARED_ROLE,
        Key(
            "raw_prefix",
            Flag(),
            "That a scope ends inside a name (`team*` covers `team-secret/` too) is meant.",
            "true",
            slips=("raw", "prefix_raw"),
        ),
    ),
    "{name: …, to: …, on: …, allow: …}",
    part="rule",
    clashes=(Clash("until", "for", "they say two different ends", "keep the one that is meant"),),
    idle=(
        Idle("for", "to", IAM + DIRECTORY, "only a profile was made at a known time", "write until: and a date"),
        Idle("shared_role", "to", IAM + DIRECTORY, "only a profile can have a role that others have too", "take shared_role out"),
        Idle(
            "application",
            "to",
            IAM + STUDIO,
            "only users and groups of IAM Identity Center come through an application",
            "take application out",
        ),
    ),
)
POLICY = Mapping(
    "a policy file",
    (
        Key("version", Version(1), "The version of this language.", "1", True, ("apiversion", "api_version", "schema")),
        Key(
            "mode",
            Choice(
                "mode",
                {
                    "authoritative": "a grant goes when the last rule for it goes",
                    "additive": "a grant stays when its rule goes",
                },
                {"authorative": "authoritative", "add": "additive", "append": "additive", "strict": "authoritative"},
            ),
            "What becomes of a grant whose last rule is gone: `authoritative` takes it away, `additive` leaves it. "
            "Without it: `authoritative`.",
            "authoritative",
        ),
        Key(
            "vars",
            Table("vars", VARIABLE_NAME, VALUE),
            "Variables of this file. A value may use `{data_bucket}` and the variables above it.",
            '{team_area: "s3://{data_bucket}/teams"}',
            slips=("variables", "var", "params", "parameters", "locals"),
        ),
        Key(
            "rules",
            Listing("a rule", RULE),
            "The rules.",
            f"[{RULE.example}]",
            slips=("rule", "grants", "policies", "statements", "statement", "permissions"),
        ),
        Key(
            "jobs",
            Listing("a job", JOB),
            "The jobs that uploads start.",
            f"[{JOB.example}]",
            slips=("job", "tasks", "pipelines", "steps", "triggers"),
        ),
        Key("tests", Reserved("this Grantor runs no tests that policy files hold"), "Reserved.", ""),
    ),
    "version: 1, and rules: with a list below it",
    one_of=("rules", "jobs"),
)
