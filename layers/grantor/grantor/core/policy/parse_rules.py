"""Parse a rule: who (`to`), where (`on`), and until when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from grantor.core import scope
from grantor.core.diagnostics import Fault, TextCheck, quote_text
from grantor.core.grant import Permission, covers
from grantor.core.policy import durations
from grantor.core.policy.grantee_types import (
    GRANTEE_TYPES_BY_KEY,
    GranteeType,
    find_application_faults,
    find_runner_faults,
)
from grantor.core.policy.text_forms import DOMAIN, PROFILE_ID, PROFILE_NAME, TAG_VALUE
from grantor.core.policy.value_types import Form
from grantor.core.policy.variables import BUCKET, PREFIX, Contexts, TextContext
from grantor.core.policy.yaml_tree import Fields, Items, PolicyReader, Text, Tree
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    ProfileName,
    ProfileSelector,
    Rule,
    Suspension,
)
from grantor.core.scope import VARIABLE

FOLDER = f"{{{PREFIX}}}"
RuleGrantee = IamPrincipal | ProfileSelector | DirectoryName


@dataclass(frozen=True)
class RulePlace:
    """A scope, the folder whose folders each get a grant, and the scopes that are excluded."""

    scope: str
    each_prefix: str = ""
    excepts: tuple[str, ...] = ()
    at_most: int = 0


def parse_rule(rule: Fields, contexts: Contexts) -> Rule | None:
    """The rule; None if something is wrong with it, which is then reported."""
    profile, prefix = _allowed_variables(rule)
    plain = contexts[False, False]
    name, allow = rule.text("name"), rule.text("allow")
    until, lasts = _parse_ends(rule, plain.reader)
    to = parse_grantee(fields, contexts[False, prefix]) if (fields := rule.fields("to")) else None
    raw_prefix = _has_word(rule, "raw_prefix", "true")
    on = rule.values.get("on")
    place = parse_place(on, contexts[profile, prefix], raw_prefix=raw_prefix) if on else None
    given = rule.text("application")
    application = plain.check_text(given, find_application_faults) if given else ""
    if not (name and allow and to and place):
        return None
    return Rule(
        file=plain.reader.file,
        name=name.value,
        to=to,
        on=place.scope,
        allow=Permission(allow.value),
        line=rule.line,
        column=rule.column,
        each_prefix=place.each_prefix,
        at_most=place.at_most,
        excepts=place.excepts,
        until=until,
        lasts=lasts,
        application=plain.fill_bucket(application or ""),
        shared_role=_has_word(rule, "shared_role", "accepted"),
        raw_prefix=raw_prefix,
    )


def _allowed_variables(rule: Fields) -> tuple[bool, bool]:
    """Whether variables of a profile, and of a prefix, may stand in this rule.

    They may where `to` or `on` is wrong itself: one message about that is enough.
    """
    to, on = rule.fields("to"), rule.values.get("on")
    profile = not (to and to.values) or "each_profile" in to.keys
    prefix = "each_prefix" in on.keys or not on.values if isinstance(on, Fields) else on is None
    return profile, prefix


def _parse_ends(rule: Fields, reader: PolicyReader) -> tuple[datetime | None, timedelta | None]:
    until, lasts = rule.text("until"), rule.text("for")
    end = durations.parse_until(until.value) if until else None
    length = durations.parse_span(lasts.value) if lasts else None
    for given, found in ((until, end), (lasts, length)):
        if given and isinstance(found, Fault):
            reader.add(given, *found)
    valid_length = None if isinstance(length, Fault) else length
    return None if isinstance(end, Fault) else end, valid_length


def _has_word(rule: Fields, key: str, word: str) -> bool:
    found = rule.text(key)
    return found is not None and found.value == word


def parse_suspension(given: Fields, context: TextContext) -> Suspension | None:
    """The suspension; None if something is wrong with it, which is then reported."""
    because, end = given.text("because"), given.text("until")
    until = durations.parse_until(end.value) if end else None
    if end and isinstance(until, Fault):
        context.reader.add(end, *until)
    found = [
        _parse_suspended(key, value, context)
        for key, value in given.values.items()
        if key not in ("because", "until") and isinstance(value, Text)
    ]
    who = found[0] if len(found) == 1 else None
    if not (who and because) or isinstance(until, Fault):
        return None
    return Suspension(context.reader.file, who, because.value, until, given.line, given.column)


def _parse_suspended(
    key: str, value: Text, context: TextContext
) -> IamPrincipal | DirectoryName | ProfileName | None:
    if key != "profile":
        found = _parse_grantee_value(GRANTEE_TYPES_BY_KEY[key], value, context)
        return None if isinstance(found, ProfileSelector) else found
    text = context.check_text(value, partial(_find_form_faults, PROFILE_ID))
    if text is None:
        return None
    domain, _, name = text.partition("/")
    return ProfileName(domain, name)


def parse_runner(runs_as: Fields, context: TextContext) -> IamPrincipal | ProfileSelector | None:
    """As whom a job runs; None if something is wrong, which is then reported."""
    who, chosen = runs_as.text("role"), runs_as.fields("each_profile")
    role = context.check_text(who, find_runner_faults) if who else None
    profiles = _parse_profiles(chosen, context, each=True) if chosen else None
    return IamPrincipal(context.fill_bucket(role)) if role else profiles


def parse_grantee(to: Fields, context: TextContext) -> RuleGrantee | None:
    """Who gets the grants; None if something is wrong, which is then reported."""
    found = [
        _parse_grantee_value(GRANTEE_TYPES_BY_KEY[key], value, context)
        for key, value in to.values.items()
    ]
    return found[0] if len(found) == 1 else None


def _parse_grantee_value(
    grantee_type: GranteeType, value: Tree, context: TextContext
) -> RuleGrantee | None:
    if isinstance(value, Fields):
        return _parse_profiles(value, context, each=grantee_type.key.name == "each_profile")
    find_faults = partial(_find_grantee_faults, grantee_type)
    who = context.check_text(value, find_faults) if isinstance(value, Text) else None
    if who is None:
        return None
    who = context.fill_bucket(who)
    if grantee_type.service_type == "IAM":
        return IamPrincipal(who)
    return DirectoryName(grantee_type.service_type, who)


def _find_grantee_faults(grantee_type: GranteeType, text: str) -> Iterable[Fault]:
    form, find_faults = grantee_type.key.takes, grantee_type.find_faults
    # A pattern decides alone; a name without one needs a closer look.
    fits = isinstance(form, Form) and form.pattern and form.fits(text)
    return () if fits or not find_faults else find_faults(text)


def _parse_profiles(chosen: Fields, context: TextContext, *, each: bool) -> ProfileSelector | None:
    given, tag_fields = chosen.text("domain"), chosen.fields("tags")
    domain = context.check_text(given, partial(_find_profile_faults, DOMAIN)) if given else None
    check_name = partial(_find_profile_faults, PROFILE_NAME)
    check_tag = partial(_find_form_faults, TAG_VALUE)
    names = [context.check_text(name, check_name) for name in _text_items(chosen, "names")]
    tags = {
        key: context.check_text(value, check_tag)
        for key, value in (tag_fields.values.items() if tag_fields else ())
        if isinstance(value, Text)
    }
    if domain is None or None in names or None in tags.values():
        return None
    fill = context.fill_bucket
    return ProfileSelector(
        fill(domain),
        tuple(fill(name) for name in names if name),
        tuple(sorted((key, fill(value)) for key, value in tags.items() if value is not None)),
        each,
    )


def _text_items(chosen: Fields, key: str) -> list[Text]:
    found = chosen.values.get(key)
    items = found.values if isinstance(found, Items) else (found,)
    return [item for item in items if isinstance(item, Text)]


def _find_form_faults(form: Form, text: str) -> Iterable[Fault]:
    return () if form.fits(text) else (form.describe_misfit(text),)


def _find_profile_faults(form: Form, text: str) -> Iterable[Fault]:
    if FOLDER in text:
        why = "profiles are matched to a folder by their tags"
        remedy = f'select them by a tag: tags: {{team: "{FOLDER}"}}'
        return (Fault(f"{FOLDER} in {form.name}", why, remedy),)
    return _find_form_faults(form, text)


def parse_place(on: Tree, context: TextContext, *, raw_prefix: bool) -> RulePlace | None:
    """Where a rule holds; None if something is wrong, which is then reported."""
    find_faults = partial(scope.find_scope_faults, raw_prefix=raw_prefix)
    if isinstance(on, Text):
        found = context.check_text(on, find_faults)
        return RulePlace(context.fill_bucket(scope.normalize_scope(found))) if found else None
    return _parse_place_mapping(on, context, find_faults) if isinstance(on, Fields) else None


def _parse_place_mapping(
    on: Fields, context: TextContext, find_faults: TextCheck
) -> RulePlace | None:
    base, single = _parse_base(on.text("each_prefix"), context), on.text("object")
    if single:
        found = context.check_text(single, scope.find_object_faults)
    else:
        found = _parse_scope(on, base, context, find_faults)
    allows_except = on.keys.keys().isdisjoint({"each_prefix", "object"})
    excepts = _parse_exceptions(on, found, context) if allows_except else []
    if found is None or (base is None and "each_prefix" in on.keys):
        return None
    fill, at_most = context.fill_bucket, on.text("at_most")
    return RulePlace(
        fill(found),
        fill(base or ""),
        tuple(fill(excluded) for excluded in excepts),
        int(at_most.value) if at_most else 0,
    )


def _parse_base(given: Text | None, context: TextContext) -> str | None:
    anything = replace(context, variables=replace(context.variables, profile=True, prefix=True))
    return anything.check_text(given, _find_base_faults) if given else None


def _find_base_faults(text: str) -> Iterable[Fault]:
    for found in VARIABLE.findall(text):
        if found != f"{{{BUCKET}}}":
            why = "Grantor looks for the folders in one place, before it knows a profile or folder"
            remedy = "write the folder itself, and the variable in scope"
            return [Fault(f"{found} in each_prefix", why, remedy)]
    return scope.find_folder_faults(text)


def _parse_scope(
    on: Fields, base: str | None, context: TextContext, find_faults: TextCheck
) -> str | None:
    given = on.text("scope")
    if given is None:
        return f"{base}{FOLDER}/*" if base else None
    found = context.check_text(given, find_faults)
    if found and "each_prefix" in on.keys and FOLDER not in found:
        what, why = f"the scope does not use {FOLDER}", "every folder would get the same grant"
        remedy = f'write scope: "{base or "s3://BUCKET/"}{FOLDER}/*"'
        context.reader.add(given, what, why, remedy)
    return scope.normalize_scope(found) if found else None


def _parse_exceptions(on: Fields, found: str | None, context: TextContext) -> list[str]:
    excepts = []
    for given in on.items("except"):
        find_faults = scope.find_exception_faults
        text = context.check_text(given, find_faults) if isinstance(given, Text) else None
        excluded = scope.normalize_scope(text) if text else ""
        if excluded and found and (fault := _explain_exception(found, excluded)):
            context.reader.add(given, *fault)
        elif excluded:
            excepts.append(excluded)
    return list(dict.fromkeys(excepts))


def _explain_exception(outer: str, inner: str) -> Fault | None:
    if inner == outer:
        what, why = "is the scope itself", "nothing would be left of the rule"
        remedy = "remove the rule"
    elif not outer.endswith("*"):
        what, why = "cannot be excluded", "the scope is a single object"
        remedy = "remove except"
    elif not outer.endswith("/*"):
        what = "cannot be excluded"
        why = "Grantor grants the folders beside an exception, and the scope ends inside a name"
        remedy = "write a scope that ends with /*"
    elif not covers(outer, inner):
        what, why = "is outside the scope", f"the rule covers {outer} and grants nothing there"
        remedy = "remove it, or write a scope below that of the rule"
    else:
        return None
    return Fault(f"{quote_text(inner)} {what}", why, remedy)
