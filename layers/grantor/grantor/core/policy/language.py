"""The policy language: the keys of a policy file and of its rules (its jobs: job_language.py)."""

from grantor.core.grant import PERMISSIONS
from grantor.core.policy.grantee_types import GRANTEE_TYPES, SHARED_ROLE
from grantor.core.policy.job_language import JOB
from grantor.core.policy.text_forms import (
    APPLICATION,
    BASE,
    END,
    OBJECT,
    RULE_NAME,
    SCOPE,
    SPAN,
    VALUE,
    VARIABLE_NAME,
)
from grantor.core.policy.value_types import (
    Choice,
    Clash,
    Either,
    Flag,
    IneffectiveKey,
    Key,
    Listing,
    Mapping,
    Reserved,
    Table,
    Version,
)

STUDIO = tuple(each.key.name for each in GRANTEE_TYPES if isinstance(each.key.takes, Mapping))
DIRECTORY = tuple(each.key.name for each in GRANTEE_TYPES if each.service_type != "IAM")
IAM = tuple(each.key.name for each in GRANTEE_TYPES if each.key.name not in (*STUDIO, *DIRECTORY))
TO = Mapping(
    "to",
    tuple(each.key for each in GRANTEE_TYPES),
    "{profiles: {domain: Product-Domain}}",
    one_of=tuple(each.key.name for each in GRANTEE_TYPES),
    only_one="a rule is for one type of grantee",
)
ON = Mapping(
    "on",
    (
        Key(
            "scope",
            SCOPE,
            "The scope, where `on` has other keys as well.",
            '"s3://{data_bucket}/*"',
            slips=("path", "prefix"),
        ),
        Key(
            "each_prefix",
            BASE,
            "One grant for each folder in this one, as uploads create them; "
            "`{prefix.name}` is the folder's name. Without `scope`, each grant covers its folder "
            "with everything in it.",
            BASE.example,
            slips=("each_folder", "every_prefix", "prefixes"),
        ),
        Key(
            "except",
            Listing("a scope", SCOPE),
            "Scopes below this one that the rule excludes.",
            '["s3://{data_bucket}/UserA/*"]',
            slips=("exclude", "excludes", "excepts", "but_not", "not"),
        ),
        Key(
            "object",
            OBJECT,
            "A single object, whatever its name looks like.",
            OBJECT.example,
            slips=("key", "file"),
        ),
    ),
    '{scope: "s3://{data_bucket}/*"}',
    one_of=("scope", "each_prefix", "object"),
    clashes=(
        Clash("scope", "object", "a rule covers one place", "write a rule for each"),
        Clash("each_prefix", "object", "a rule covers one place", "write a rule for each"),
        Clash("except", "object", "there is nothing below a single object", "remove except"),
        Clash(
            "each_prefix",
            "except",
            "the folders are not known in advance, so no reader can see what is excluded",
            "write a rule for each folder that you mean, or remove except",
        ),
    ),
)
ALLOW = Choice(
    "a permission",
    {str(permission): each.meaning for permission, each in PERMISSIONS.items()},
    {slip: str(permission) for permission, each in PERMISSIONS.items() for slip in each.slips},
)
RULE = Mapping(
    "a rule",
    (
        Key(
            "name",
            RULE_NAME,
            "The rule's name in reports; unique in this file.",
            "own-folder",
            required=True,
            slips=("id", "title", "sid", "rule"),
        ),
        Key(
            "to",
            TO,
            "Who.",
            TO.example,
            required=True,
            slips=("who", "for_whom", "grantee", "principal", "grantees"),
        ),
        Key(
            "on",
            Either(SCOPE, ON),
            "Where.",
            SCOPE.example,
            required=True,
            slips=("where", "scope", "path", "prefix", "resource", "bucket"),
        ),
        Key(
            "allow",
            ALLOW,
            "What: "
            + "; ".join(f"{name} is {meaning}" for name, meaning in ALLOW.words.items())
            + ".",
            "READWRITE",
            required=True,
            slips=(
                *("permission", "permissions", "can", "access"),
                *("action", "actions", "grant", "effect"),
            ),
        ),
        Key(
            "until",
            END,
            "When the rule ends: a date (including the whole day, in UTC) or a time in UTC.",
            END.example,
            slips=("expires", "expiry", "expiration", "end", "ends", "valid_until", "not_after"),
        ),
        Key(
            "for",
            SPAN,
            "How long the rule lasts from the creation of each profile: hours, days or weeks.",
            SPAN.example,
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
            "Accept that a scope ends inside a name (`team*` also covers `team-secret/`).",
            "true",
            slips=("raw", "prefix_raw"),
        ),
    ),
    "{name: …, to: …, on: …, allow: …}",
    part="rule",
    clashes=(Clash("until", "for", "they set two different ends", "keep the one that you mean"),),
    ineffective=(
        IneffectiveKey(
            "for",
            "to",
            IAM + DIRECTORY,
            "only a profile has a known creation time",
            "write until: and a date",
        ),
        IneffectiveKey(
            "shared_role",
            "to",
            IAM + DIRECTORY,
            "only a profile can share its role with others",
            "remove shared_role",
        ),
        IneffectiveKey(
            "application",
            "to",
            IAM + STUDIO,
            "only users and groups of IAM Identity Center come through an application",
            "remove application",
        ),
    ),
)
POLICY = Mapping(
    "a policy file",
    (
        Key(
            "version",
            Version(1),
            "The version of the policy language.",
            "1",
            required=True,
            slips=("apiversion", "api_version", "schema"),
        ),
        Key(
            "mode",
            Choice(
                "a mode",
                {
                    "authoritative": "a grant is revoked when the last rule for it is removed",
                    "additive": "a grant stays when its rule is removed",
                },
                {"authorative": "authoritative", "strict": "authoritative"}
                | {"add": "additive", "append": "additive"},
            ),
            "What happens to a grant whose last rule is removed: `authoritative` revokes it, "
            "`additive` keeps it. Default: `authoritative`.",
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
        Key(
            "tests",
            Reserved("this version of Grantor does not run tests from policy files"),
            "Reserved.",
            "",
        ),
    ),
    "version: 1, and rules: with a list below it",
    one_of=("rules", "jobs"),
)
