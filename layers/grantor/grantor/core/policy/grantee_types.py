"""The types of grantee that a rule can name: one entry each in GRANTEE_TYPES.

An entry has the key of `to` with what it takes, the type that S3 Access Grants has for it, what is
wrong with a text that does not fit, and how the directory finds it by name. The language, the
parser, the expansion, the directory adapter, the JSON schema and docs/policy.md read it.
"""

import re
from dataclasses import dataclass

from grantor.core.diagnostics import Fault, TextCheck, quote_text
from grantor.core.policy.text_forms import (
    APPLICATION,
    DIRECTORY_GROUP,
    DIRECTORY_USER,
    DOMAINS,
    PROFILE_NAME,
    ROLE,
    TAG_KEY,
    TAG_VALUE,
    USER,
)
from grantor.core.policy.value_types import Choice, Either, Form, Key, Listing, Mapping, Table

SESSION_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>\d{12}):assumed-role/(?P<name>[^/]+)(/.*)?",
    re.ASCII,
)
PRINCIPAL_ARN = re.compile(
    r"arn:aws[a-z-]*:iam::(?P<account>[^:]*):(?P<kind>role|user|root|group|instance-profile)(/.*)?",
    re.DOTALL,
)
DIRECTORY_ARN = re.compile(
    r"arn:aws[a-z-]*:identitystore:::(?P<kind>user|group)/(?P<id>.+)", re.DOTALL
)
ACCOUNT_ID = re.compile("[0-9]{12}")
IAM_NAME = re.compile(r"[\w+=,.@/-]+", re.ASCII)
# The id of a user or group in IAM Identity Center: ResourceId in the model of the Identity Store.
DIRECTORY_ID = re.compile(r"([0-9a-f]{10}-|)[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")
EXAMPLE_ID = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
NEARLY_ID = re.compile(r"[0-9A-Fa-f-]{30,60}")


def find_role_faults(text: str) -> list[Fault]:
    """What is wrong with a role's ARN."""
    return [] if ROLE.fits(text) else [_explain_arn(text, "role", ROLE)]


def find_runner_faults(text: str) -> list[Fault]:
    """What is wrong with the ARN of the role that a job runs as."""
    why = "a job runs as one IAM role, named by its full ARN"
    example = f"write for example role: {ROLE.example}"
    return [
        Fault(what, why, remedy if "role: " in remedy else example)
        for what, _, remedy in find_role_faults(text)
    ]


def find_user_faults(text: str) -> list[Fault]:
    """What is wrong with an IAM user's ARN."""
    return [] if USER.fits(text) else [_explain_arn(text, "user", USER)]


def find_application_faults(text: str) -> list[Fault]:
    """What is wrong with the ARN of an IAM Identity Center application."""
    fits = APPLICATION.fits(text)
    return [] if fits else [APPLICATION.describe_misfit(text, "application: ")]


def find_directory_user_faults(text: str) -> list[Fault]:
    """What is wrong with the name or id of a directory's user."""
    if " " in text and not text.startswith("arn:"):
        why = "name the user by user name, which has no spaces, or by ID"
        misfit = DIRECTORY_USER.describe_misfit(text, "directory_user: ")
        return [misfit._replace(why=why)]
    return _find_directory_faults(text, "user", DIRECTORY_USER)


def find_directory_group_faults(text: str) -> list[Fault]:
    """What is wrong with the name or id of a directory's group."""
    return _find_directory_faults(text, "group", DIRECTORY_GROUP)


def _explain_arn(text: str, key: str, form: Form) -> Fault:
    if found := SESSION_ARN.fullmatch(text):
        role = f"arn:{found['partition']}:iam::{found['account']}:role/{found['name']}"
        why = "a grant goes to the role, for all its sessions"
        return Fault(f"{quote_text(text)} is a session, not a role", why, f"write role: {role}")
    if "*" in text or "?" in text:
        why = f"a grant names one {key} by its full ARN"
        return Fault(f"{quote_text(text)} contains a wildcard", why, "write a rule for each")
    if found := PRINCIPAL_ARN.fullmatch(text):
        return _explain_principal(text, key, form, found)
    if IAM_NAME.fullmatch(text):
        why = f"a grant names a {key} by its full ARN"
        remedy = f"write for example {key}: {_suggest_arn(form, text)}"
        return Fault(f"{quote_text(text)} is not an ARN", why, remedy)
    return form.describe_misfit(text, f"{key}: ")


def _explain_principal(text: str, key: str, form: Form, found: re.Match[str]) -> Fault:
    kind, example = found["kind"], f"write for example {key}: {form.example}"
    if not ACCOUNT_ID.fullmatch(found["account"]):
        what = f"{quote_text(text)} does not name an account"
        return Fault(what, "an account ID has 12 digits", example)
    if kind in ("role", "user") and kind != key:
        why = "the key must say which of the two it is"
        return Fault(f"{quote_text(text)} is a {kind}, not a {key}", why, f"write {kind}: {text}")
    if kind != key:
        why = "S3 Access Grants gives access to roles and users"
        return Fault(f"{quote_text(text)} is not a {key}", why, example)
    return form.describe_misfit(text, f"{key}: ")


def _suggest_arn(form: Form, name: str) -> str:
    if ACCOUNT_ID.fullmatch(name):
        return form.example.replace("111122223333", name)
    return form.example.rpartition("/")[0] + "/" + name.strip("/")


def _find_directory_faults(text: str, kind: str, form: Form) -> list[Fault]:
    if text.startswith("arn:"):
        return [_explain_directory_arn(text, kind, form)]
    if "*" in text:
        why = f"a grant names one {kind}"
        return [Fault(f"{quote_text(text)} contains a wildcard", why, "write a rule for each")]
    if not form.fits(text):
        return [form.describe_misfit(text, f"directory_{kind}: ")]
    if NEARLY_ID.fullmatch(text) and not DIRECTORY_ID.fullmatch(text):
        why = (
            "an ID has groups of 8, 4, 4, 4 and 12 hexadecimal digits, "
            "and may have 10 more before them"
        )
        remedy = f"copy the {kind}'s ID again; it looks like {EXAMPLE_ID}"
        return [Fault(f"{quote_text(text)} is almost an ID", why, remedy)]
    return []


def _explain_directory_arn(text: str, kind: str, form: Form) -> Fault:
    if found := DIRECTORY_ARN.fullmatch(text):
        remedy = f"write directory_{found['kind']}: {found['id']}"
        return Fault(f"{quote_text(text)} is an ARN", "S3 Access Grants expects the ID", remedy)
    if found := PRINCIPAL_ARN.fullmatch(text):
        why = f"a {kind} of the directory is not an IAM principal"
        can_hold_grants = found["kind"] in ("role", "user")
        example = f"write for example directory_{kind}: {form.example}"
        remedy = f"write {found['kind']}: {text}" if can_hold_grants else example
        return Fault(f"{quote_text(text)} belongs to IAM", why, remedy)
    return form.describe_misfit(text, f"directory_{kind}: ")


EXCEPTION = Mapping(
    "an exception",
    (
        Key(
            "tags",
            Table("tags", TAG_KEY, TAG_VALUE),
            "Profiles that carry all of these tags.",
            "{kind: contractor}",
            required=True,
            slips=("tag", "labels"),
        ),
    ),
    "{tags: {kind: contractor}}",
)
PROFILE_KEYS = (
    Key(
        "domain",
        Either(DOMAINS, Listing("a Studio domain's name or a glob", DOMAINS)),
        "The Studio domain, or several; `*` and `?` work as in file names.",
        "Product-Domain",
        required=True,
        slips=("domain_name", "domain_id", "studio", "domains"),
    ),
    Key(
        "names",
        Either(PROFILE_NAME, Listing("a name", PROFILE_NAME)),
        "Only profiles with one of these names; `*` and `?` work as in file names. "
        "Default: all profiles of the domain.",
        '["user*"]',
        slips=("name", "profile", "profiles", "users"),
    ),
    Key(
        "tags",
        Table("tags", TAG_KEY, TAG_VALUE),
        "Only profiles that carry all of these tags.",
        "{team: blue}",
        slips=("tag", "labels"),
    ),
    Key(
        "except",
        Listing("a profile's name, a glob, or tags", Either(PROFILE_NAME, EXCEPTION)),
        "Not these: profiles with such a name, or that carry all of these tags.",
        "[guest, {tags: {kind: contractor}}]",
        slips=("exclude", "excludes", "excepts", "but_not", "not", "without"),
    ),
)
PROFILES = Mapping("profiles", PROFILE_KEYS, "{domain: Product-Domain}")
EACH_PROFILE = Mapping("each_profile", PROFILE_KEYS, PROFILES.example)
SHARED_ROLE = Key(
    "shared_role",
    Choice(
        "a value of shared_role",
        {"accepted": "everyone who has the role gets the grant"},
        {"true": "accepted", "yes": "accepted"},
    ),
    "Accept that a profile shares its execution role with others, who get the grant as well.",
    "accepted",
    slips=("share_role", "shared", "accept_shared_role"),
)


def find_iam_key(arn: str) -> str:
    """The key below `to` for the ARN of a role or user.

    >>> find_iam_key("arn:aws:iam::111122223333:user/ana")
    'user'
    """
    return "user" if ":user/" in arn else "role"


@dataclass(frozen=True)
class GranteeType:
    """One type of grantee."""

    key: Key  # under `to`
    service_type: str  # GranteeType of S3 Access Grants
    find_faults: TextCheck | None = None  # of a text, with the file's own variables filled in
    # For a type whose names are looked up in IAM Identity Center by Get…Id of the Identity Store:
    noun: str = ""  # "user" for GetUserId; also what messages call it
    attribute: str = ""  # the unique attribute that holds the name


GRANTEE_TYPES = (
    GranteeType(
        Key(
            "role",
            ROLE,
            "An IAM role, by its ARN.",
            ROLE.example,
            slips=("iam_role", "role_arn", "arn", "roles"),
        ),
        "IAM",
        find_role_faults,
    ),
    GranteeType(
        Key(
            "user",
            USER,
            "An IAM user, by its ARN.",
            USER.example,
            slips=("iam_user", "user_arn", "users"),
        ),
        "IAM",
        find_user_faults,
    ),
    GranteeType(
        Key(
            "profiles",
            PROFILES,
            "Studio profiles: the rule is for the execution role of each.",
            PROFILES.example,
            slips=("profile", "user_profiles"),
        ),
        "IAM",
    ),
    GranteeType(
        Key(
            "each_profile",
            EACH_PROFILE,
            "Studio profiles, each with its own variables: "
            "`{profile.name}`, `{profile.folder}`, `{profile.tags.KEY}`, `{domain.name}`.",
            EACH_PROFILE.example,
            slips=("each_profiles", "every_profile", "each"),
        ),
        "IAM",
    ),
    GranteeType(
        Key(
            "directory_user",
            DIRECTORY_USER,
            "A user of IAM Identity Center, by name or ID.",
            DIRECTORY_USER.example,
            slips=("sso_user", "identity_center_user"),
        ),
        "DIRECTORY_USER",
        find_directory_user_faults,
        noun="user",
        attribute="userName",
    ),
    GranteeType(
        Key(
            "directory_group",
            DIRECTORY_GROUP,
            "A group of IAM Identity Center, by name or ID.",
            DIRECTORY_GROUP.example,
            slips=("group", "groups", "sso_group", "identity_center_group"),
        ),
        "DIRECTORY_GROUP",
        find_directory_group_faults,
        noun="group",
        attribute="displayName",
    ),
)
GRANTEE_TYPES_BY_KEY = {grantee_type.key.name: grantee_type for grantee_type in GRANTEE_TYPES}
DIRECTORY_TYPES = {each.service_type: each for each in GRANTEE_TYPES if each.attribute}
