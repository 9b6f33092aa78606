"""The policy language, described once: its keys, in the mappings that they stand in. jobs.py has those of a job, forms.py describes its texts.

The reader's messages, the JSON Schema and the tables of the reference page are all made from this.
"""

from grantor.core.policy.forms import (
    APPLICATION,
    BASE,
    DIRECTORY_GROUP,
    DIRECTORY_USER,
    END,
    OBJECT,
    ROLE,
    RULE_NAME,
    SCOPE,
    SPAN,
    USER,
    VALUE,
    VARIABLE_NAME,
)
from grantor.core.policy.jobs import JOB
from grantor.core.policy.kinds import Choice, Clash, Either, Flag, Idle, Key, Listing, Mapping, Reserved, Table, Version
from grantor.core.policy.profiles import EACH_PROFILE, PROFILES, SHARED_ROLE

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
