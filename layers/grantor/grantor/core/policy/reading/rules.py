"""What a rule means, once it has the language's shape."""

from datetime import datetime, timedelta

from grantor.core.grant import Permission
from grantor.core.policy.document import Fields, Reader
from grantor.core.policy.reading import ends
from grantor.core.policy.reading.arn import application_faults
from grantor.core.policy.reading.context import Contexts
from grantor.core.policy.reading.grantees import grantees
from grantor.core.policy.reading.places import where
from grantor.core.problem import Fault
from grantor.core.rule import Rule


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
    end = ends.until(until.value) if until else None
    length = ends.lasting(lasts.value) if lasts else None
    if until and isinstance(end, Fault):
        reader.refuse(until, *end)
    if lasts and isinstance(length, Fault):
        reader.refuse(lasts, *length)
    return (None if isinstance(end, Fault) else end), (None if isinstance(length, Fault) else length)


def _says(rule: Fields, key: str, word: str) -> bool:
    said = rule.text(key)
    return said is not None and said.value == word
