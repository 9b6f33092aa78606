"""The policy language: the keys of a policy file and of its rules (its jobs: job_language.py)."""

from grantor.core.diagnostics import Fault
from grantor.core.grant import PERMISSIONS, Permission
from grantor.core.policy.grantee_types import GRANTEE_TYPES, SHARED_ROLE
from grantor.core.policy.job_language import JOB
from grantor.core.policy.test_language import GIVEN_KEY, TESTS_KEY
from grantor.core.policy.text_forms import (
    APPLICATION,
    BASE,
    BECAUSE,
    DESCRIPTION,
    END,
    OBJECT,
    OWNER,
    PROFILE_ID,
    REVIEW,
    RULE_NAME,
    SCOPE,
    SPAN,
    UNTIL,
    VALUE,
    VARIABLE_NAME,
)
from grantor.core.policy.value_types import (
    Choice,
    Clash,
    DependentKey,
    Either,
    Flag,
    IneffectiveKey,
    Key,
    Listing,
    Mapping,
    Number,
    OneOrMore,
    Table,
    version_key,
)
from grantor.settings import MAX_GRANTS, MAX_PREFIX_FOLDERS

STUDIO = tuple(each.key.name for each in GRANTEE_TYPES if isinstance(each.key.takes, Mapping))
DIRECTORY = tuple(each.key.name for each in GRANTEE_TYPES if each.service_type != "IAM")
IAM = tuple(each.key.name for each in GRANTEE_TYPES if each.key.name not in (*STUDIO, *DIRECTORY))
TO = Mapping(
    "to",
    tuple(each.key for each in GRANTEE_TYPES),
    "{profiles: {domain: Product-Domain}}",
    one_of=tuple(each.key.name for each in GRANTEE_TYPES),
    only_one="one grantee has one type",
    several="write to: [{KEY: …}, {KEY: …}]",
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
            "at_most",
            Number(1, MAX_GRANTS, MAX_PREFIX_FOLDERS),
            "How many folders `each_prefix` may find. With more of them, the rule changes nothing, "
            f"so that whoever writes data cannot make grants without end. "
            f"Default: {MAX_PREFIX_FOLDERS:,}.",
            "500",
            slips=("max", "limit", "maximum", "up_to"),
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
    dependent=(
        DependentKey("at_most", "each_prefix", "only each_prefix finds folders as they come"),
    ),
)


def describe_keys(part: str) -> tuple[Key, Key]:
    """The keys that say whose a file or rule is, and what it is for."""
    default = "" if part == "file" else " Default: what the file says."
    also = ", and to ask about rules and jobs" if part == "file" else ""
    return (
        Key(
            "owner",
            OWNER,
            f"Whom to ask about the {part}{also}; reports and alerts name them.{default}",
            OWNER.example,
            slips=("owners", "contact", "team", "owned_by", "maintainer", "responsible"),
        ),
        Key(
            "description",
            DESCRIPTION,
            f"What the {part} is for.{default}",
            DESCRIPTION.example,
            slips=("desc", "comment", "note", "about", "because", "why"),
        ),
    )


def describe_review(part: str) -> Key:
    """The key that says how long a review holds."""
    what = "its rules end" if part == "file" else "the rule ends"
    default = "" if part == "file" else " Default: what the file says."
    return Key(
        "review",
        REVIEW,
        f"How many days or weeks a review holds: {what} when nobody has signed one, by `grantor "
        f"review sign`, for so long.{default}",
        REVIEW.example,
        slips=("reviews", "recertify", "attest", "confirm", "review_every", "reviewed"),
    )


NO_DENY = Fault(
    "a rule cannot deny",
    "S3 Access Grants has no deny, so no rule takes away what another one grants",
    "change the rule that grants it, or add except to its on; for a person, write suspend",
)
ALLOW = Choice(
    "a permission",
    {str(permission): each.meaning for permission, each in PERMISSIONS.items()},
    {slip: str(permission) for permission, each in PERMISSIONS.items() for slip in each.slips},
    dict.fromkeys(("deny", "denied", "none", "no", "nothing", "false", "forbid"), NO_DENY),
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
            OneOrMore("a grantee", TO),
            "Who, or a list of them.",
            TO.example,
            required=True,
            slips=("who", "for_whom", "grantee", "principal", "grantees"),
        ),
        Key(
            "on",
            OneOrMore("a place", Either(SCOPE, ON)),
            "Where, or a list of places.",
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
            UNTIL,
            "When the rule ends: a date (including the whole day, in UTC) or a time in UTC. "
            '`"{profile.tags.KEY}"` is the date or time in a tag of each profile.',
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
        *describe_keys("rule"),
        describe_review("rule"),
    ),
    "{name: …, to: …, on: …, allow: …}",
    part="rule",
    never=dict.fromkeys(("deny", "forbid", "denies", "disallow", "block"), NO_DENY),
    never_means="allow",
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
SUSPENDED = tuple(each.key for each in GRANTEE_TYPES if each.key.name in (*IAM, *DIRECTORY))
SUSPENSION = Mapping(
    "a suspension",
    (
        Key(
            "profile",
            PROFILE_ID,
            "One Studio profile, as `Domain/name`, and the role that it runs as at the time.",
            PROFILE_ID.example,
            slips=("profiles", "each_profile", "user_profile"),
        ),
        *SUSPENDED,
        Key(
            "because",
            BECAUSE,
            "Why; `grantor status` shows it.",
            BECAUSE.example,
            required=True,
            slips=("reason", "why", "comment", "description"),
        ),
        Key(
            "until",
            END,
            "When the suspension ends: a date (including the whole day, in UTC) or a time in UTC.",
            END.example,
            slips=("expires", "expiry", "expiration", "end", "ends"),
        ),
    ),
    "{profile: Product-Domain/userB, because: …}",
    one_of=("profile", *(key.name for key in SUSPENDED)),
    only_one="a suspension names one principal",
    part="suspension",
)
POLICY = Mapping(
    "a policy file",
    (
        version_key("the policy language"),
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
        *describe_keys("file"),
        describe_review("file"),
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
            "suspend",
            Listing("a suspension", SUSPENSION),
            "Whom no rule of any file gives anything, and whose grants go at once.",
            f"[{SUSPENSION.example}]",
            slips=("suspended", "suspensions", "deny", "block", "revoke", "ban"),
        ),
        GIVEN_KEY,
        TESTS_KEY,
    ),
    "version: 1, and rules: with a list below it",
    one_of=("rules", "jobs", "suspend"),
    dependent=(DependentKey("given", "tests", "only tests ask about it"),),
)


def format_rule(name: str, to: str, on: str, allow: Permission, *more: str) -> str:
    """Write a rule as an item below `rules:`; `to`, `on` and further keys are YAML already.

    >>> print(format_rule("own", "directory_group: Team", "s3://b/*", Permission.READ))
      - name: own
        to: {directory_group: Team}
        on: s3://b/*
        allow: READ
    """
    keys = (f"to: {{{to}}}", f"on: {on}", f"allow: {allow}", *more)
    return "\n    ".join((f"  - name: {name}", *keys))
