"""Where a rule holds: what stands under `on`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from grantor.core import scope
from grantor.core.diagnostics import Fault, Judge, shown
from grantor.core.grant import Permission
from grantor.core.policy import arns, durations
from grantor.core.policy.arns import application_faults
from grantor.core.policy.value_types import DOMAIN, PROFILE_NAME, TAG_VALUE, Form
from grantor.core.policy.variables import BUCKET, PREFIX, Context, Contexts
from grantor.core.policy.yaml_tree import Fields, Items, Reader, Text, Tree
from grantor.core.rules import Directory, Principal, Profiles, Rule
from grantor.core.scope import VARIABLE

FOLDER = f"{{{PREFIX}}}"


@dataclass(frozen=True)
class Where:
    """A scope, the folder whose folders it is for, and what below it is not meant."""

    scope: str
    each_prefix: str = ""
    excepts: tuple[str, ...] = ()


def where(on: Tree, context: Context, *, raw_prefix: bool) -> Where | None:
    """The place that is meant; None after saying what is wrong."""
    judge = partial(scope.faults, raw_prefix=raw_prefix)
    if isinstance(on, Text):
        found = context.text(on, judge)
        return Where(context.final(scope.whole(found))) if found else None
    return _long(on, context, judge) if isinstance(on, Fields) else None


def _long(on: Fields, context: Context, judge: Judge) -> Where | None:
    base = _base(on.text("each_prefix"), context)
    single = on.text("object")
    found = context.text(single, scope.object_faults) if single else _scope(on, base, context, judge)
    excepts = _excepts(on, found, context) if not on.keys.keys() & {"each_prefix", "object"} else []
    if found is None or (base is None and "each_prefix" in on.keys):
        return None
    final = context.final
    return Where(final(found), final(base or ""), tuple(final(left_out) for left_out in excepts))


def _base(given: Text | None, context: Context) -> str | None:
    anything = replace(context, variables=replace(context.variables, profile=True, prefix=True))
    return anything.text(given, _base_faults) if given else None


def _base_faults(text: str) -> Iterable[Fault]:
    for found in VARIABLE.findall(text):
        if found != f"{{{BUCKET}}}":
            why = "the folders are looked for in one place, before there is a profile or a folder"
            return [Fault(f"{found} in each_prefix", why, "write the folder itself, and the variable in scope")]
    return scope.base_faults(text)


def _scope(on: Fields, base: str | None, context: Context, judge: Judge) -> str | None:
    given = on.text("scope")
    if given is None:
        return f"{base}{FOLDER}/*" if base else None
    found = context.text(given, judge)
    if found and "each_prefix" in on.keys and FOLDER not in found:
        why = "so each folder would get the same grant"
        context.reader.refuse(
            given, f"{FOLDER} does not stand in the scope", why, f'write scope: "{base or "s3://BUCKET/"}{FOLDER}/*"'
        )
    return scope.whole(found) if found else None


def _excepts(on: Fields, found: str | None, context: Context) -> list[str]:
    excepts = []
    for given in on.items("except"):
        left_out = context.text(given, scope.except_faults) if isinstance(given, Text) else None
        if left_out and found and (fault := _no_exception(found, scope.whole(left_out))):
            context.reader.refuse(given, *fault)
        elif left_out:
            excepts.append(scope.whole(left_out))
    return list(dict.fromkeys(excepts))


def _no_exception(outer: str, inner: str) -> Fault | None:
    if inner == outer:
        return Fault(f"{shown(inner)} is the scope itself", "nothing would be left of the rule", "take the rule out")
    if not outer.endswith("*"):
        return Fault(f"{shown(inner)} can not be left out", "the scope is one single object", "take except out")
    if not outer.endswith("/*"):
        why = "exceptions are kept by granting the folders beside them, and the scope ends inside a name"
        return Fault(f"{shown(inner)} can not be left out", why, "write a scope that ends with /*")
    if not scope.covers(outer, inner):
        why = f"the rule is on {outer} and gives nothing there"
        return Fault(f"{shown(inner)} lies outside the scope", why, "take it out, or write a scope below that of the rule")
    return None


Grantees = Principal | Profiles | Directory
KINDS = {"directory_user": "DIRECTORY_USER", "directory_group": "DIRECTORY_GROUP"}
JUDGES: dict[str, Judge] = {
    "role": arns.role_faults,
    "user": arns.user_faults,
    "directory_user": arns.directory_user_faults,
    "directory_group": arns.directory_group_faults,
}


def runner(runs_as: Fields, context: Context) -> Principal | Profiles | None:
    """As whom a job runs; None after saying what is wrong."""
    who, chosen = runs_as.text("role"), runs_as.fields("each_profile")
    role = context.text(who, arns.runner_faults) if who else None
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


def meaning(rule: Fields, contexts: Contexts) -> Rule | None:
    """The rule; None after saying what is wrong with it."""
    profile, prefix = _kept(rule)
    reader = contexts[False, False].reader
    name, allow, until, lasts = rule.text("name"), rule.text("allow"), *_ends(rule, reader)
    to = grantees(fields, contexts[False, prefix]) if (fields := rule.fields("to")) else None
    raw_prefix = _says(rule, "raw_prefix", "true")
    at = where(on, contexts[profile, prefix], raw_prefix=raw_prefix) if (on := rule.values.get("on")) else None
    application = contexts[False, False].text(given, application_faults) if (given := rule.text("application")) else ""
    if not (name and allow and to and at):
        return None
    return Rule(
        file=reader.file,
        name=name.value,
        to=to,
        on=at.scope,
        allow=Permission(allow.value),
        line=rule.line,
        column=rule.column,
        each_prefix=at.each_prefix,
        excepts=at.excepts,
        until=until,
        lasts=lasts,
        application=contexts[False, False].final(application or ""),
        shared_role=_says(rule, "shared_role", "accepted"),
        raw_prefix=raw_prefix,
    )


def _kept(rule: Fields) -> tuple[bool, bool]:
    """Whether variables of a profile, and of a prefix, may stand in this rule.

    Where `to` or `on` is wrong itself they may: that it is wrong is enough to hear.
    """
    to, on = rule.fields("to"), rule.values.get("on")
    profile = not (to and to.values) or "each_profile" in to.keys
    prefix = "each_prefix" in on.keys or not on.values if isinstance(on, Fields) else on is None
    return profile, prefix


def _ends(rule: Fields, reader: Reader) -> tuple[datetime | None, timedelta | None]:
    until, lasts = rule.text("until"), rule.text("for")
    end = durations.until(until.value) if until else None
    length = durations.lasting(lasts.value) if lasts else None
    if until and isinstance(end, Fault):
        reader.refuse(until, *end)
    if lasts and isinstance(length, Fault):
        reader.refuse(lasts, *length)
    return (None if isinstance(end, Fault) else end), (None if isinstance(length, Fault) else length)


def _says(rule: Fields, key: str, word: str) -> bool:
    said = rule.text(key)
    return said is not None and said.value == word
