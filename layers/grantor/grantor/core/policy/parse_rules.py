"""Parse a rule: who (`to`), where (`on`), and until when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

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
from grantor.core.policy.text_forms import DOMAINS, PROFILE_ID, PROFILE_NAME, TAG_VALUE
from grantor.core.policy.value_types import Form
from grantor.core.policy.variables import BUCKET, PREFIX, Contexts, TextContext
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text, Tree
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    ProfileName,
    ProfileSelector,
    Rule,
    Suspension,
    Tags,
)
from grantor.core.scope import VARIABLE
from grantor.settings import MAX_RULE_COMBINATIONS

FOLDER = f"{{{PREFIX}}}"
NEVER = durations.RuleEnd()
REPEATED = ("the list already contains it", "remove one of them")
RuleGrantee = IamPrincipal | ProfileSelector | DirectoryName


@dataclass(frozen=True)
class RulePlace:
    """A scope, the folder whose folders each get a grant, and the scopes that are excluded."""

    scope: str
    each_prefix: str = ""
    excepts: tuple[str, ...] = ()
    at_most: int = 0


def parse_rule(rule: Fields, contexts: Contexts, most: int) -> list[Rule]:
    """The rule, for each grantee at each place, `most` of them; none if something is wrong with it,
    which is then reported.
    """
    whom, where = rule.listed("to"), rule.listed("on")
    plain = contexts[False, False]
    name, allow = rule.text("name"), rule.text("allow")
    review = rule.text("review")
    ends = "until" in rule.values or "for" in rule.values
    end = durations.parse_ends(rule, plain.reader) if ends else NEVER
    grantees = _parse_grantees(whom, contexts[False, _follow_folders(where)])
    raw_prefix = _has_word(rule, "raw_prefix", "true")
    profile = _have_profile_variables(whom)
    places = _parse_places(where, contexts, profile=profile, raw_prefix=raw_prefix)
    given = rule.text("application")
    application = plain.check_text(given, find_application_faults) if given else ""
    if end.tag:
        _check_tag_has_profiles(rule, end.tag, grantees, plain.reader)
    if not (name and allow) or _has_too_many(rule, len(grantees) * len(places), most, plain.reader):
        return []
    return [
        Rule(
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
            until=end.until,
            lasts=end.lasts,
            until_tag=end.tag,
            application=plain.fill_bucket(application or ""),
            shared_role=_has_word(rule, "shared_role", "accepted"),
            raw_prefix=raw_prefix,
            owner=rule.value_of("owner"),
            description=rule.value_of("description"),
            review=durations.parse_review(review, plain.reader) if review else None,
        )
        for to, place in product(grantees, places)
    ]


def _has_too_many(rule: Fields, count: int, most: int, reader: PolicyReader) -> bool:
    if count <= most:
        return False
    what = f"to and on make {count:,} combinations of a grantee and a place"
    why = f"a file may have {MAX_RULE_COMBINATIONS:,} in all its rules, and these exceed them"
    reader.add(rule, what, why, "write fewer items, or move rules to another file")
    return True


def _parse_grantees(whom: Iterable[Tree], context: TextContext) -> list[RuleGrantee]:
    found = [(one, parse_grantee(one, context)) for one in whom if isinstance(one, Fields)]
    return _refuse_repeated("to", found, context.reader)


def _parse_places(
    where: Iterable[Tree], contexts: Contexts, *, profile: bool, raw_prefix: bool
) -> list[RulePlace]:
    found = [
        (one, parse_place(one, contexts[profile, _follows_folders(one)], raw_prefix=raw_prefix))
        for one in where
    ]
    return _refuse_repeated("on", found, contexts[False, False].reader)


def _refuse_repeated[Item](
    key: str, given: Iterable[tuple[Tree, Item | None]], reader: PolicyReader
) -> list[Item]:
    """The items that are right; two that mean the same are reported."""
    seen: list[Item] = []
    for tree, item in given:
        if item in seen:
            shown = quote_text(tree.value) if isinstance(tree, Text) else f"an item of {key}"
            reader.add(tree, f"{shown} is repeated", *REPEATED)
        elif item is not None:
            seen.append(item)
    return seen


def _have_profile_variables(whom: Iterable[Tree]) -> bool:
    """Whether variables of a profile may stand in `on`: all items of `to` have them, or are wrong,
    and one message about that is enough.
    """
    for one in whom:
        if isinstance(one, Fields) and one.values and "each_profile" not in one.keys:
            return False
    return True


def _follow_folders(where: Iterable[Tree]) -> bool:
    """Whether the variable of a prefix may stand in `to`: each place has it."""
    return all(map(_follows_folders, where))


def _follows_folders(place: Tree) -> bool:
    """Whether a place has the variable of a prefix, or is wrong itself."""
    return isinstance(place, Fields) and ("each_prefix" in place.keys or not place.values)


def _check_tag_has_profiles(
    rule: Fields, tag: str, grantees: Iterable[RuleGrantee], reader: PolicyReader
) -> None:
    given = rule.text("until")
    if given and not all(isinstance(one, ProfileSelector) for one in grantees):
        why = "only profiles have tags, and each item of to must be profiles or each_profile"
        remedy = "write a date, or a rule of its own for the others"
        reader.add(given, f"{{profile.tags.{tag}}} has no value", why, remedy)


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
    excepted = chosen.listed("except")
    domains = _check_names(chosen.listed("domain"), CHECK_DOMAIN, context)
    names = _check_names(chosen.listed("names"), CHECK_NAME, context)
    except_names = _check_names(excepted, CHECK_NAME, context)
    tags = _parse_tags(chosen, context)
    except_tags = [_parse_tags(one, context) for one in excepted if isinstance(one, Fields)]
    if not domains or names is None or except_names is None or tags is None or None in except_tags:
        return None
    kept = tuple(one for one in except_tags if one is not None)
    return ProfileSelector(domains, names, tags, each, except_names, kept)


def _check_names(
    given: Iterable[Tree], check: TextCheck, context: TextContext
) -> tuple[str, ...] | None:
    """The names of domains or profiles among these; None if one is wrong."""
    found = [context.check_text(one, check) for one in given if isinstance(one, Text)]
    return None if None in found else tuple(context.fill_bucket(one) for one in found if one)


def _parse_tags(chosen: Fields, context: TextContext) -> Tags | None:
    given = chosen.fields("tags")
    if given is None:
        return ()
    tags = {
        key: context.check_text(value, CHECK_TAG)
        for key, value in given.values.items()
        if isinstance(value, Text)
    }
    filled = [(key, context.fill_bucket(tag)) for key, tag in tags.items() if tag is not None]
    return tuple(sorted(filled)) if len(filled) == len(tags) else None


def _find_form_faults(form: Form, text: str) -> Iterable[Fault]:
    return () if form.fits(text) else (form.describe_misfit(text),)


def _find_profile_faults(form: Form, text: str) -> Iterable[Fault]:
    if FOLDER in text:
        why = "profiles are matched to a folder by their tags"
        remedy = f'select them by a tag: tags: {{team: "{FOLDER}"}}'
        return (Fault(f"{FOLDER} in {form.name}", why, remedy),)
    return _find_form_faults(form, text)


CHECK_DOMAIN = partial(_find_profile_faults, DOMAINS)
CHECK_NAME = partial(_find_profile_faults, PROFILE_NAME)
CHECK_TAG = partial(_find_form_faults, TAG_VALUE)


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
