"""What is wrong with the ARN of a grantee or an application, and with the name of a directory's user or group."""

import re

from grantor.core.diagnostics import Fault, shown
from grantor.core.policy.value_types import APPLICATION, DIRECTORY_GROUP, DIRECTORY_USER, ROLE, USER, Form

SESSION = re.compile(r"arn:(?P<partition>aws[a-z-]*):sts::(?P<account>\d{12}):assumed-role/(?P<name>[^/]+)(/.*)?", re.ASCII)
PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>[^:]*):(?P<kind>role|user|root|group|instance-profile)(/.*)?", re.DOTALL)
IN_DIRECTORY = re.compile(r"arn:aws[a-z-]*:identitystore:::(?P<kind>user|group)/(?P<id>.+)", re.DOTALL)
ACCOUNT = re.compile("[0-9]{12}")
RUNS = "a job runs as one IAM role, by its full ARN"
NAME = re.compile(r"[\w+=,.@/-]+", re.ASCII)
# The id of a user or group in IAM Identity Center: ResourceId in the model of the Identity Store.
ID = re.compile(r"([0-9a-f]{10}-|)[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")
EXAMPLE_ID = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
NEARLY_ID = re.compile(r"[0-9A-Fa-f-]{30,60}")


def role_faults(text: str) -> list[Fault]:
    """What is wrong with a role's ARN."""
    return [] if ROLE.fits(text) else [_of_principal(text, "role", ROLE)]


def runner_faults(text: str) -> list[Fault]:
    """What is wrong with the ARN of the role that a job runs as."""
    example = f"write for example role: {ROLE.example}"
    return [Fault(what, RUNS, remedy if "role: " in remedy else example) for what, _, remedy in role_faults(text)]


def user_faults(text: str) -> list[Fault]:
    """What is wrong with an IAM user's ARN."""
    return [] if USER.fits(text) else [_of_principal(text, "user", USER)]


def application_faults(text: str) -> list[Fault]:
    """What is wrong with the ARN of an IAM Identity Center application."""
    return [] if APPLICATION.fits(text) else [APPLICATION.fault(text, "application: ")]


def directory_user_faults(text: str) -> list[Fault]:
    """What is wrong with the name or id of a directory's user."""
    if " " in text and not text.startswith("arn:"):
        why = "a user is named by the user name, which has no spaces, or by the id"
        return [
            Fault(
                f"{shown(text)} is not {DIRECTORY_USER.name}", why, f"write for example directory_user: {DIRECTORY_USER.example}"
            )
        ]
    return _of_directory(text, "user", DIRECTORY_USER)


def directory_group_faults(text: str) -> list[Fault]:
    """What is wrong with the name or id of a directory's group."""
    return _of_directory(text, "group", DIRECTORY_GROUP)


def _of_principal(text: str, key: str, form: Form) -> Fault:
    if found := SESSION.fullmatch(text):
        role = f"arn:{found['partition']}:iam::{found['account']}:role/{found['name']}"
        return Fault(
            f"{shown(text)} is a session, not a role", "a role holds grants, for all its sessions", f"write role: {role}"
        )
    if "*" in text or "?" in text:
        return Fault(f"{shown(text)} has a wildcard", "a grant is for one, by its full ARN", "write a rule for each")
    if found := PRINCIPAL.fullmatch(text):
        return _principal(text, key, form, found)
    if NAME.fullmatch(text):
        meant = form.example.replace("111122223333", text) if ACCOUNT.fullmatch(text) else _like(form, text)
        return Fault(f"{shown(text)} is no ARN", f"a grant names a {key} by its full ARN", f"write for example {key}: {meant}")
    return form.fault(text, f"{key}: ")


def _principal(text: str, key: str, form: Form, found: re.Match[str]) -> Fault:
    account, kind = found["account"], found["kind"]
    if not ACCOUNT.fullmatch(account):
        return Fault(
            f"{shown(text)} names no account", "an account's id has 12 digits", f"write for example {key}: {form.example}"
        )
    if kind in ("role", "user") and kind != key:
        return Fault(f"{shown(text)} is a {kind}, not a {key}", "the key says which of the two", f"write {kind}: {text}")
    if kind != key:
        return Fault(
            f"{shown(text)} is no {key}", "S3 Access Grants gives to roles and users", f"write for example {key}: {form.example}"
        )
    return form.fault(text, f"{key}: ")


def _like(form: Form, name: str) -> str:
    return form.example.rpartition("/")[0] + "/" + name.strip("/")


def _of_directory(text: str, kind: str, form: Form) -> list[Fault]:
    fault = _arn_of_directory(text, kind, form) or _any_of_directory(text, kind, form) or _nearly_id(text, kind)
    return [fault] if fault else []


def _arn_of_directory(text: str, kind: str, form: Form) -> Fault | None:
    if not text.startswith("arn:"):
        return None
    if found := IN_DIRECTORY.fullmatch(text):
        return Fault(
            f"{shown(text)} is an ARN", "S3 Access Grants takes the id", f"write directory_{found['kind']}: {found['id']}"
        )
    if found := PRINCIPAL.fullmatch(text):
        return Fault(f"{shown(text)} is of IAM", f"a {kind} of the directory is none of IAM", f"write {found['kind']}: {text}")
    return form.fault(text, f"directory_{kind}: ")


def _any_of_directory(text: str, kind: str, form: Form) -> Fault | None:
    if "*" in text:
        return Fault(f"{shown(text)} has a wildcard", f"a grant is for one {kind}", "write a rule for each")
    return None if form.fits(text) else form.fault(text, f"directory_{kind}: ")


def _nearly_id(text: str, kind: str) -> Fault | None:
    if not NEARLY_ID.fullmatch(text) or ID.fullmatch(text):
        return None
    why = "an id has groups of 8, 4, 4, 4 and 12 hexadecimal digits, and may have 10 before them"
    remedy = f"copy the id of the {kind} again; it is like {EXAMPLE_ID}"
    return Fault(f"{shown(text)} is nearly an id", why, remedy)
