"""Whom a rule is for, and as whom a job runs: what stands under `to` and `as`."""

from collections.abc import Iterable
from functools import partial

from grantor.core.policy.document import Fields, Items, Text, Tree
from grantor.core.policy.forms import DOMAIN, PROFILE_NAME, TAG_VALUE
from grantor.core.policy.kinds import Form
from grantor.core.policy.reading import arn
from grantor.core.policy.reading.context import Context
from grantor.core.policy.reading.variables import PREFIX
from grantor.core.problem import Fault, Judge
from grantor.core.whom import Directory, Principal, Profiles

Grantees = Principal | Profiles | Directory
KINDS = {"directory_user": "DIRECTORY_USER", "directory_group": "DIRECTORY_GROUP"}
JUDGES: dict[str, Judge] = {
    "role": arn.role_faults,
    "user": arn.user_faults,
    "directory_user": arn.directory_user_faults,
    "directory_group": arn.directory_group_faults,
}


def runner(runs_as: Fields, context: Context) -> Principal | Profiles | None:
    """As whom a job runs; None after saying what is wrong."""
    who, chosen = runs_as.text("role"), runs_as.fields("each_profile")
    role = context.text(who, arn.runner_faults) if who else None
    profiles = _profiles(chosen, context, each=True) if chosen else None
    return Principal(context.final(role)) if role else profiles


def grantees(to: Fields, context: Context) -> Grantees | None:
    """Who is meant; None after saying what is wrong."""
    found = [_one(key, value, context) for key, value in to.values.items()]
    return found[0] if len(found) == 1 else None


def _one(key: str, value: Tree, context: Context) -> Grantees | None:
    if isinstance(value, Fields):
        return _profiles(value, context, each=key == "each_profile")
    who = context.text(value, JUDGES[key]) if isinstance(value, Text) else None
    if who is None:
        return None
    who = context.final(who)
    return Directory(KINDS[key], who) if key in KINDS else Principal(who)


def _profiles(chosen: Fields, context: Context, *, each: bool) -> Profiles | None:
    given = chosen.text("domain")
    domain = context.text(given, partial(_of_profile, DOMAIN)) if given else None
    names = [context.text(name, partial(_of_profile, PROFILE_NAME)) for name in _texts(chosen.values.get("names"))]
    tags = {key: context.text(value, partial(_fits, TAG_VALUE)) for key, value in _pairs(chosen.fields("tags"))}
    if domain is None or None in names or None in tags.values():
        return None
    final = context.final
    return Profiles(
        final(domain),
        tuple(final(name) for name in names if name),
        tuple(sorted((key, final(value)) for key, value in tags.items() if value is not None)),
        each,
    )


def _texts(names: Tree | None) -> Iterable[Text]:
    return (name for name in (names.values if isinstance(names, Items) else (names,)) if isinstance(name, Text))


def _pairs(tags: Fields | None) -> Iterable[tuple[str, Text]]:
    return ((key, value) for key, value in (tags.values.items() if tags else ()) if isinstance(value, Text))


def _fits(form: Form, text: str) -> Iterable[Fault]:
    return () if form.fits(text) else (form.fault(text),)


def _of_profile(form: Form, text: str) -> Iterable[Fault]:
    if f"{{{PREFIX}}}" in text:
        why = "profiles go with a folder by their tags"
        remedy = f'choose them by a tag: tags: {{team: "{{{PREFIX}}}"}}'
        return (Fault(f"{{{PREFIX}}} in {form.name}", why, remedy),)
    return _fits(form, text)
