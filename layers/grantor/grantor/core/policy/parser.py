"""Parse a policy file: its value, or everything that is wrong with it, never half of it.

The steps: bytes, text, tree, a tree that fits the language, rules and jobs. Each step reports what
is wrong and goes on with the rest, so that the file's owner sees all mistakes at once. No input
raises an exception.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from grantor.core.diagnostics import Fault, Problem, is_invisible, join_words, quote_text
from grantor.core.expectations import PolicyTests
from grantor.core.policy import value_errors
from grantor.core.policy.durations import parse_review
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES, JobTypes
from grantor.core.policy.language import POLICY
from grantor.core.policy.parse_job_places import refuse_conflicts
from grantor.core.policy.parse_jobs import parse_job
from grantor.core.policy.parse_rules import parse_rule, parse_suspension
from grantor.core.policy.test_language import TEST_FILE
from grantor.core.policy.value_errors import ValueContext
from grantor.core.policy.value_types import (
    Choice,
    Either,
    Flag,
    Form,
    Kind,
    Listing,
    Mapping,
    Number,
    OneOrMore,
    Table,
    Version,
)
from grantor.core.policy.variables import Contexts, TextContext, build_contexts, read_variables
from grantor.core.policy.yaml_tree import (
    Fields,
    Hole,
    Items,
    PolicyReader,
    Text,
    Tree,
    decode_body,
    explain_misread,
    unquoted_variable,
)
from grantor.core.rules import Job, Mode, Policy, Rule, Suspension
from grantor.settings import MAX_QUOTED_CHARACTERS, MAX_RULE_COMBINATIONS

WHOLE_NUMBER = re.compile("0|[1-9][0-9]{0,8}")


def parse_policy(
    file: str,
    body: bytes,
    data_bucket: str = "data-bucket",
    job_types: JobTypes = SHIPPED_JOB_TYPES,
) -> Policy | tuple[Problem, ...]:
    """The file's rules and jobs, or all that is wrong with it, in the file's order.

    `file` is its key in the policy bucket.
    """
    reader = PolicyReader(file)
    top = read_top(reader, body, POLICY)
    policy = _build_policy(reader, top, data_bucket, job_types) if top else Policy(file, ())
    return reader.sorted_problems() or policy


def read_top(reader: PolicyReader, body: bytes, kind: Mapping) -> Fields | None:
    """The tree of a file that is of this kind; None if there is none. What is wrong is reported."""
    text = decode_body(body, reader)
    tree = reader.parse_tree(text) if text is not None else None
    if tree is None:
        return None
    checked = Validator(reader).check_tree(tree, kind, ValueContext(kind.name, ""))
    return checked if isinstance(checked, Fields) else None


def _build_policy(
    reader: PolicyReader, top: Fields, data_bucket: str, job_types: JobTypes
) -> Policy:
    own, mode = read_variables(top, reader), top.text("mode")
    owner, description = (top.value_of(key) for key in ("owner", "description"))
    rules = _parse_rules(reader, top, build_contexts(reader, own, data_bucket))
    given = top.text("review")
    review = parse_review(given, reader) if given else None
    jobs = _parse_jobs(reader, top, build_contexts(reader, own, data_bucket, "job"), job_types)
    return Policy(
        reader.file,
        _add_default(rules, owner, description, review),
        Mode(mode.value) if mode else Mode.AUTHORITATIVE,
        tuple(replace(job, owner=owner) for job in jobs) if owner else jobs,
        _parse_suspensions(top, build_contexts(reader, own, data_bucket, "suspension")),
        owner,
        description,
        _parse_tests(top, TextContext(reader, replace(own, part="test"), data_bucket), len(rules)),
    )


def parse_test_file(
    file: str, body: bytes, data_bucket: str = "data-bucket"
) -> PolicyTests | tuple[Problem, ...]:
    """The tests of a file that has nothing else, or all that is wrong with it."""
    from grantor.core.policy.parse_tests import parse_tests

    reader = PolicyReader(file)
    reader.main_key = "tests"
    tests = PolicyTests(file)
    if top := read_top(reader, body, TEST_FILE):
        own = replace(read_variables(top, reader), part="test")
        tests = parse_tests(top, TextContext(reader, own, data_bucket))
    return reader.sorted_problems() or tests


def _parse_tests(top: Fields, context: TextContext, combinations: int) -> PolicyTests | None:
    if "tests" not in top.values:
        return None
    # Most files have none, and every start of the function would import it.
    from grantor.core.policy.parse_tests import parse_tests

    given = (rule.text("name") for rule in top.items("rules") if isinstance(rule, Fields))
    names = {name.value for name in given if name}
    return parse_tests(top, context, names, combinations)


def _add_default(
    rules: tuple[Rule, ...], owner: str, description: str, review: timedelta | None
) -> tuple[Rule, ...]:
    """The rules with what their file says, as far as they do not say so themselves."""
    if not (owner or description or review):
        return rules
    return tuple(
        replace(
            rule,
            owner=rule.owner or owner,
            description=rule.description or description,
            review=rule.review or review,
        )
        for rule in rules
    )


def _parse_rules(reader: PolicyReader, top: Fields, contexts: Contexts) -> tuple[Rule, ...]:
    given = [fields for fields in top.items("rules") if isinstance(fields, Fields)]
    found: list[Rule] = []
    for fields in given:
        found += parse_rule(fields, contexts, MAX_RULE_COMBINATIONS - len(found))
    _refuse_same_names(reader, given, "rule")
    return tuple(found)


def _parse_jobs(
    reader: PolicyReader, top: Fields, contexts: Contexts, job_types: JobTypes
) -> tuple[Job, ...]:
    given = [fields for fields in top.items("jobs") if isinstance(fields, Fields)]
    found = [(fields, job) for fields in given if (job := parse_job(fields, contexts, job_types))]
    _refuse_same_names(reader, given, "job")
    if found:
        refuse_conflicts(found, reader)
    return tuple(job for _, job in found)


def _parse_suspensions(top: Fields, contexts: Contexts) -> tuple[Suspension, ...]:
    given = [fields for fields in top.items("suspend") if isinstance(fields, Fields)]
    found = (parse_suspension(fields, contexts[False, False]) for fields in given)
    return tuple(filter(None, found))


def _refuse_same_names(reader: PolicyReader, parts: list[Fields], called: str) -> None:
    """Report two rules or jobs of one name: no report could distinguish them."""
    seen: dict[str, Text] = {}
    for name in filter(None, (part.text("name") for part in parts)):
        first = seen.setdefault(name.value, name)
        if first is not name:
            what = f"a second {called} is named {quote_text(name.value)}"
            why = f"the {called} on line {first.line} has that name"
            reader.add(name, what, why, "give each its own name")


@lru_cache(256)
def value_of_key(
    key: str, required: bool = True, part: str = "rule", several: str = ""
) -> ValueContext:
    """The context of a key's value."""
    name = key if len(key) <= MAX_QUOTED_CHARACTERS else f"{key[:MAX_QUOTED_CHARACTERS]}…"
    return ValueContext(name, f"{name}: ", required, part, several.replace("KEY", name))


def check_text(tree: Tree, form: Form, at: ValueContext) -> Text | Fault:
    """Accept a text that all YAML readers read alike, of the right form if that is known yet."""
    if not isinstance(tree, Text):
        return value_errors.explain_text(tree, form, at)
    value = tree.value
    if not value:
        empty = form.may_be_empty and not tree.plain
        return tree if empty else value_errors.explain_text(tree, form, at)
    if tree.plain and not form.unquoted and (fault := explain_misread(value)) and form.fits(value):
        return fault
    if not value.isprintable() or not (value.isascii() or not any(map(is_invisible, value))):
        return value_errors.explain_hidden_character(value)
    known_later = form.variables or form.unquoted
    return tree if known_later or form.fits(value) else form.describe_misfit(value, at.lead)


def check_choice(tree: Tree, of: Choice, at: ValueContext) -> Text | Fault:
    """Accept one of a few words."""
    if isinstance(tree, Text) and tree.value in of.words:
        return tree
    return value_errors.explain_choice(tree, of, at)


def check_flag(tree: Tree, _: Flag, at: ValueContext) -> Text | Fault:
    """Accept true or false, and no other word for them."""
    if isinstance(tree, Text) and tree.plain and tree.value in ("true", "false"):
        return tree
    return value_errors.explain_flag(tree, at)


def check_number(tree: Tree, of: Number, at: ValueContext) -> Text | Fault:
    """Accept a whole number that lies within bounds."""
    is_number = isinstance(tree, Text) and tree.plain and WHOLE_NUMBER.fullmatch(tree.value)
    if isinstance(tree, Text) and is_number and of.least <= int(tree.value) <= of.most:
        return tree
    return value_errors.explain_number(tree, of, at)


def check_version(tree: Tree, of: Version, at: ValueContext) -> Text | Fault:
    """Accept the version of the language that is known here."""
    if isinstance(tree, Text) and tree.plain and tree.value == str(of.number):
        return tree
    return value_errors.explain_version(tree, of, at)


def is_text_like(tree: Tree, either: Either) -> bool:
    """Whether its author meant the text, where a text or something longer can stand."""
    if isinstance(either.other, Mapping) and isinstance(tree, Items):
        return either.takes_lists
    known = either.other.keys_by_name if isinstance(either.other, Mapping) else {}
    return isinstance(tree, Text) or (bool(name := unquoted_variable(tree)) and name not in known)


Check = Callable[[Tree, Any, ValueContext], Tree | Fault]


class Validator:
    """Checks the trees of one file against the language."""

    def __init__(self, reader: PolicyReader) -> None:
        self.reader = reader
        self.checks: dict[type, Check] = {
            Form: check_text,
            Choice: check_choice,
            Flag: check_flag,
            Version: check_version,
            Number: check_number,
            Either: self._check_either,
            Listing: self._check_list,
            OneOrMore: self._check_several,
            Table: self._check_table,
            Mapping: self._check_mapping,
        }

    def check_tree(self, tree: Tree, kind: Kind, at: ValueContext) -> Tree | None:
        """`tree` without the parts that do not fit `kind`, each of which is reported.

        None if nothing of it fits.
        """
        if isinstance(tree, Hole) or self.reader.full:
            return None
        found = self.checks[type(kind)](tree, kind, at)
        if isinstance(found, Fault):
            self.reader.add(tree, *found)
            return None
        return found

    def _check_either(self, tree: Tree, either: Either, at: ValueContext) -> Tree | Fault:
        kind: Kind = either.text if is_text_like(tree, either) else either.other
        return self.checks[type(kind)](tree, kind, at)

    def _check_list(self, tree: Tree, listing: Listing, at: ValueContext) -> Tree | Fault:
        if not isinstance(tree, Items) or not (tree.values or listing.may_be_empty):
            return value_errors.explain_list(tree, listing, at)
        item = ValueContext(f"an item of {at.label}", "- ", part=at.part)
        checked = [self.check_tree(given, listing.of, item) for given in tree.values]
        kept = tuple(good for good in checked if good is not None)
        self._refuse_repeated(kept)
        return Items(kept, tree.line, tree.column)

    def _check_several(self, tree: Tree, several: OneOrMore, at: ValueContext) -> Tree | Fault:
        kind = several.listing if isinstance(tree, Items) else several.of
        return self.checks[type(kind)](tree, kind, at)

    def _refuse_repeated(self, kept: tuple[Tree, ...]) -> None:
        seen: set[str] = set()
        for item in kept:
            if isinstance(item, Text):
                if item.value in seen:
                    self.reader.add(item, *value_errors.explain_repeated(item.value))
                seen.add(item.value)

    def _check_table(self, tree: Tree, table: Table, at: ValueContext) -> Tree | Fault:
        if not isinstance(tree, Fields) or not tree.values:
            return value_errors.explain_table(tree, table, at)
        kept = Fields({}, tree.keys, tree.line, tree.column)
        for name, value in tree.values.items():
            key = self.check_tree(tree.keys[name], table.key, ValueContext("a key", ""))
            good = self.check_tree(value, table.value, value_of_key(name, True, at.part))
            if key is not None and good is not None:
                kept.values[name] = good
        return kept

    def _check_mapping(self, tree: Tree, mapping: Mapping, at: ValueContext) -> Tree | Fault:
        if not isinstance(tree, Fields):
            return value_errors.explain_mapping(tree, mapping, at)
        kept = Fields({}, tree.keys, tree.line, tree.column)
        part = mapping.part or at.part
        known = mapping.keys_by_name
        unknown = [key for key in tree.keys.values() if key.value not in known]
        meant = {self._refuse_key(key, mapping) for key in unknown}
        for name, value in tree.values.items():
            if key := known.get(name):
                needed = key.required or name in mapping.one_of
                context = value_of_key(name, needed, part, mapping.several)
                if (good := self.check_tree(value, key.takes, context)) is not None:
                    kept.values[name] = good
        self._refuse_missing(tree, mapping, meant | tree.keys.keys())
        self._refuse_combinations(tree, mapping, part)
        return kept

    def _refuse_key(self, key: Text, mapping: Mapping) -> str:
        """Report an unknown key; return the name of the one that was meant, "" if unknown."""
        if self.reader.full:
            return ""
        fault, meant = value_errors.explain_key(key.value, mapping)
        self.reader.add(key, *fault)
        return meant

    def _refuse_missing(self, tree: Fields, mapping: Mapping, present: set[str]) -> None:
        for name in mapping.required_names:
            if name not in present:
                self.reader.add(tree, *value_errors.explain_missing_key(name, mapping))
        known = mapping.keys_by_name.keys()
        if mapping.one_of and present.isdisjoint(mapping.one_of) and present <= known:
            self.reader.add(tree, *value_errors.explain_incomplete(mapping))

    def _refuse_combinations(self, tree: Fields, mapping: Mapping, part: str) -> None:
        """Report keys that cannot stand together."""
        if mapping.only_one and len(tree.keys) > 1:
            self._refuse_second(tree, mapping, part)
        for clash in mapping.clashes:
            if clash.first in tree.keys and clash.second in tree.keys:
                pair = (tree.keys[clash.first], tree.keys[clash.second])
                later = max(pair, key=lambda key: (key.line, key.column))
                what = f"{clash.first} and {clash.second} are both given"
                self.reader.add(later, what, clash.why, clash.remedy)
        for dependent in mapping.dependent:
            if (key := tree.keys.get(dependent.key)) and dependent.beside not in tree.keys:
                what = f"{dependent.key} without {dependent.beside}"
                self.reader.add(key, what, dependent.why, f"remove {dependent.key}")
        for ineffective in mapping.ineffective:
            if key := tree.keys.get(ineffective.key):
                beside = (one for one in tree.listed(ineffective.beside) if isinstance(one, Fields))
                there = [name for one in beside for name in one.keys if name in ineffective.among]
                for name in there[:1]:
                    self.reader.add(key, *value_errors.explain_ineffective(ineffective, name))

    def _refuse_second(self, tree: Fields, mapping: Mapping, part: str) -> None:
        """Report a second key where only one can stand."""
        chosen = [name for name in tree.keys if name in mapping.one_of]
        if len(chosen) < 2:
            return
        what = f"{mapping.name} has {join_words(chosen, 'and')}"
        each = ", ".join(f"{{{name}: …}}" for name in chosen)
        remedy = (
            f"write {mapping.name}: [{each}]" if mapping.several else f"write a {part} for each"
        )
        self.reader.add(tree.keys[chosen[1]], what, mapping.only_one, remedy)
