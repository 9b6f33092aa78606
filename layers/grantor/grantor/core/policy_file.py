"""A policy file as a value, or everything that is wrong with it; never half of one.

bytes → text → tree → what has the language's shape → rules. Each step says what is wrong and goes on with the rest, so that the
owner of a file hears of all mistakes at once. Whatever the bytes are, nothing is raised.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from grantor.core.document import Fields, Reader, Text
from grantor.core.grant import Permission
from grantor.core.language import POLICY
from grantor.core.problem import Fault, Problem, shown
from grantor.core.reading import ends
from grantor.core.reading.arn import application_faults
from grantor.core.reading.characters import decoded
from grantor.core.reading.context import Context
from grantor.core.reading.grantees import grantees
from grantor.core.reading.misshapen import under
from grantor.core.reading.places import where
from grantor.core.reading.shape import Shaper
from grantor.core.reading.variables import BUCKET, Variables
from grantor.core.rule import Mode, Policy, Rule

LONGEST_VALUE = 2_000  # characters; longer than any scope, and no chain of variables can grow beyond it
KEPT = tuple(product((False, True), repeat=2))  # with and without variables of a profile, and of a prefix


def read(file: str, body: bytes, data_bucket: str = "data-bucket") -> Policy | tuple[Problem, ...]:
    """What the file says, or all that is wrong with it, in the file's order. `file` is its key in the policy bucket."""
    reader = Reader(file)
    top = _top(reader, body)
    policy = _policy(reader, top, data_bucket) if top else Policy(file, ())
    return reader.all() or policy


def _top(reader: Reader, body: bytes) -> Fields | None:
    text = decoded(body, reader)
    tree = reader.tree(text) if text is not None else None
    if tree is None:
        if not reader.problems:
            reader.refuse(
                Spot(1, 1), "the file is empty", "an empty file says nothing", "delete it, or write version: 1 and rules:"
            )
        return None
    shaped = Shaper(reader).shaped(tree, POLICY, under("a policy file"))
    return shaped if isinstance(shaped, Fields) else None


def _policy(reader: Reader, top: Fields, data_bucket: str) -> Policy:
    variables, mode = _variables(reader, top), top.text("mode")
    contexts = {kept: Context(reader, replace(variables, profile=kept[0], prefix=kept[1]), data_bucket) for kept in KEPT}
    given = [rule for rule in top.items("rules") if isinstance(rule, Fields)]
    rules = tuple(rule for fields in given if (rule := _rule(fields, contexts[_kept(fields)])))
    _tell_apart(reader, given)
    return Policy(reader.file, rules, Mode(mode.value) if mode else Mode.AUTHORITATIVE)


def _variables(reader: Reader, top: Fields) -> Variables:
    """The file's own variables, each with those above it filled in."""
    given = top.fields("vars") or Fields({}, {}, 1, 1)
    values: dict[str, str] = {}
    later, broken = set(given.keys), set[str]()
    known = Variables(values, later=later, broken=broken)
    for name, key in given.keys.items():
        later.discard(name)
        value = _value(given.text(name), key, Context(reader, known, ""))
        if value is None:
            broken.add(name)
        else:
            values[name] = value
    return known


def _value(given: Text | None, key: Text, context: Context) -> str | None:
    if key.value == BUCKET:
        context.reader.refuse(key, f"{BUCKET} among the variables", "Grantor gives it its value", "choose another name")
        return None
    return context.text(given, _value_faults) if given else None


def _value_faults(text: str) -> Iterator[Fault]:
    if len(text) > LONGEST_VALUE:
        what = f"a value of {len(text):,} characters"
        yield Fault(what, f"with its variables filled in it may have {LONGEST_VALUE:,}", "shorten it")


def _rule(rule: Fields, context: Context) -> Rule | None:
    name, allow, until, lasts = rule.text("name"), rule.text("allow"), *_ends(rule, context.reader)
    to = grantees(fields, context) if (fields := rule.fields("to")) else None
    raw_prefix = _says(rule, "raw_prefix", "true")
    at = where(on, context, raw_prefix=raw_prefix) if (on := rule.values.get("on")) else None
    application = context.text(given, application_faults) if (given := rule.text("application")) else ""
    if not (name and allow and to and at):
        return None
    return Rule(
        file=context.reader.file,
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
        application=application or "",
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


def _tell_apart(reader: Reader, rules: list[Fields]) -> None:
    """Two rules of one name could not be told apart in any report."""
    seen: dict[str, Text] = {}
    for name in filter(None, (rule.text("name") for rule in rules)):
        first = seen.setdefault(name.value, name)
        if first is not name:
            why = f"the rule in line {first.line} has that name"
            reader.refuse(name, f"a second rule is called {shown(name.value)}", why, "give each its own")
