"""A policy file as a value: who may do what where. Read in whole, and every mistake in it named at once.

version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from grantor.core.document import Fields, Items, Reader, Text, Tree
from grantor.core.grant import Permission
from grantor.core.problem import Problem

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# The account's own roles with their path; a session or a wildcard can not hold a grant.
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
VARIABLE = re.compile(r"\{([^{}]*)\}")
EVERYWHERE = ("data_bucket",)
EACH = ("profile.name", "profile.folder")


@dataclass(frozen=True, order=True)
class Profiles:
    """Profiles of a Studio domain: all of them, or those named; `each` when every one has variables of its own."""

    domain: str
    names: tuple[str, ...] = ()
    each: bool = False


@dataclass(frozen=True, order=True)
class Role:
    """An IAM role by its ARN."""

    arn: str


@dataclass(frozen=True, order=True)
class Rule:
    """One rule: these people may do this there. `on` still has its variables."""

    file: str
    name: str
    to: Profiles | Role
    on: str
    allow: Permission
    line: int
    column: int


@dataclass(frozen=True)
class Policy:
    """What one file says."""

    file: str
    rules: tuple[Rule, ...]


def parse(file: str, text: str) -> Policy | tuple[Problem, ...]:
    """The policy that `text` is, or everything that is wrong with it; never half of one. `file` names it in each problem."""
    reader = Reader(file)
    tree = reader.tree(text)
    rules = _Policy(reader).rules(tree) if tree is not None else ()
    return tuple(sorted(set(reader.problems))) or Policy(file, rules)


@dataclass
class _Policy:
    """Turns the tree into rules; every `_x` returns its value, or None after noting why there is none."""

    reader: Reader

    def rules(self, tree: Tree) -> tuple[Rule, ...]:
        top = self._fields(tree, "a policy file", ("version", "rules"))
        if top is None:
            return ()
        self._version(top)
        listed = top.values.get("rules")
        if listed is None:
            return ()
        if not isinstance(listed, Items) or not listed.values:
            self.reader.refuse(
                listed, "rules is not a list of rules", "each rule is one item of it", "write - name: … below rules:"
            )
            return ()
        rules = [rule for item in listed.values if (rule := self._rule(item))]
        self._unique(rules)
        return tuple(rules)

    def _version(self, top: Fields) -> None:
        version = top.values.get("version")
        if version is not None and not (isinstance(version, Text) and version.value == "1"):
            self.reader.refuse(version, "unknown version", "this Grantor reads version 1", "write version: 1")

    def _rule(self, item: Tree) -> Rule | None:
        rule = self._fields(item, "a rule", ("name", "to", "on", "allow"))
        if rule is None:
            return None
        name, to, allow = self._name(rule), self._to(rule), self._allow(rule)
        on = self._on(rule, to)
        if name is None or to is None or on is None or allow is None:
            return None
        return Rule(self.reader.file, name, to, on, allow, rule.line, rule.column)

    def _name(self, rule: Fields) -> str | None:
        name = self._text(rule, "name")
        if name is None:
            return None
        if NAME.fullmatch(name.value):
            return name.value
        why = "a name has up to 63 letters, digits, dots, dashes and underscores"
        self.reader.refuse(name, f"{name.value!r} is not a rule's name", why, "write a name like own-folder")
        return None

    def _allow(self, rule: Fields) -> Permission | None:
        allow = self._text(rule, "allow")
        if allow is None:
            return None
        if allow.value in Permission.__members__:
            return Permission(allow.value)
        why = "S3 Access Grants knows READ, WRITE and READWRITE"
        self.reader.refuse(allow, f"{allow.value!r} is no permission", why, _nearest(allow.value.upper(), Permission.__members__))
        return None

    def _to(self, rule: Fields) -> Profiles | Role | None:
        given = rule.values.get("to")
        if given is None:
            return None
        to = self._fields(given, "to", (), ("each_profile", "profiles", "role"))
        if to is None:
            return None
        if len(to.values) != 1:
            self.reader.refuse(to, "to names not exactly one kind of grantee", "a rule is for one", "write one rule for each")
            return None
        return self._role(to) if "role" in to.values else self._profiles(to)

    def _role(self, to: Fields) -> Role | None:
        role = self._text(to, "role")
        if role is None:
            return None
        if ROLE.fullmatch(role.value):
            return Role(role.value)
        why = "a grant is held by a role, by its full ARN"
        self.reader.refuse(role, f"{role.value!r} is not a role's ARN", why, "write arn:aws:iam::111122223333:role/NAME")
        return None

    def _profiles(self, to: Fields) -> Profiles | None:
        key, given = next(iter(to.values.items()))
        chosen = self._fields(given, key, ("domain",), ("names",))
        domain = self._text(chosen, "domain") if chosen else None
        names = self._names(chosen) if chosen else None
        return Profiles(domain.value, names, key == "each_profile") if domain and names is not None else None

    def _names(self, chosen: Fields) -> tuple[str, ...] | None:
        listed = chosen.values.get("names")
        if listed is None:
            return ()
        if isinstance(listed, Items) and listed.values and all(isinstance(name, Text) for name in listed.values):
            return tuple(name.value for name in listed.values if isinstance(name, Text))
        self.reader.refuse(
            listed, "names is not a list of profile names", "without it all profiles are meant", "write names: [userA]"
        )
        return None

    def _on(self, rule: Fields, to: Profiles | Role | None) -> str | None:
        on = self._text(rule, "on")
        if on is None:
            return None
        before = len(self.reader.problems)
        self._variables(on, EVERYWHERE + (EACH if to is None or _each(to) else ()))
        for what, why, remedy in scope_problems(on.value):
            self.reader.refuse(on, what, why, remedy)
        return on.value if len(self.reader.problems) == before else None

    def _variables(self, on: Text, known: Iterable[str]) -> None:
        for name in VARIABLE.findall(on.value):
            if name not in known:
                why = "profile variables need to: {each_profile: …}" if name in EACH else f"here are: {', '.join(known)}"
                self.reader.refuse(on, f"unknown variable {{{name}}}", why, _nearest(name, known))

    def _unique(self, rules: list[Rule]) -> None:
        seen: dict[str, Rule] = {}
        for rule in rules:
            if first := seen.get(rule.name):
                where = Text(rule.name, rule.line, rule.column)
                self.reader.refuse(
                    where, f"rule {rule.name!r} stands twice", f"it is already in line {first.line}", "give each its own name"
                )
            seen.setdefault(rule.name, rule)

    def _text(self, fields: Fields, key: str) -> Text | None:
        value = fields.values.get(key)
        if value is None or (isinstance(value, Text) and value.value):
            return value if isinstance(value, Text) else None
        self.reader.refuse(value, f"{key} is not a word", f"{key} is one text", f"write {key}: and one text behind it")
        return None

    def _fields(self, tree: Tree, what: str, needed: tuple[str, ...], others: tuple[str, ...] = ()) -> Fields | None:
        known = needed + others
        if not isinstance(tree, Fields):
            self.reader.refuse(tree, f"{what} is not a mapping", f"it has {', '.join(known)}", f"write {known[0]}: … here")
            return None
        for key in tree.keys.values():
            if key.value not in known:
                why = f"{what} has {', '.join(known)}"
                self.reader.refuse(key, f"unknown key {key.value!r}", why, _nearest(key.value, known))
        for key_ in needed:
            if key_ not in tree.values:
                self.reader.refuse(tree, f"{what} has no {key_}", "it is needed", f"write {key_}: …")
        return tree


def scope_problems(scope: str) -> list[tuple[str, str, str]]:
    """What, why and remedy of each way in which the service would read `scope` otherwise than its author does."""
    found = []
    if not re.match(r"s3://[^/*]+/.", scope):
        found.append((f"{scope!r} is no scope", "a grant lies below a bucket", "write s3://BUCKET/PREFIX/*"))
    elif not scope.endswith("*"):
        why = "without a * the service would mean one single object of that name"
        found.append((f"{scope!r} ends without *", why, f"write {scope.rstrip('/')}/*"))
    elif not scope.endswith("/*"):
        why = f"it would also cover {scope.rpartition('/')[2][:-1]}-secret/"
        found.append((f"{scope!r} ends inside a name", why, f"write {scope[:-1]}/*"))
    if "*" in scope[:-1]:
        found.append(
            (f"{scope!r} has a * in the middle", "the service takes it for a letter there", "keep only the * at the end")
        )
    if len(scope) > 2000:
        found.append(("the scope is too long", "the service takes up to 2,000 characters", "shorten it"))
    return found


def _each(to: Profiles | Role | None) -> bool:
    return isinstance(to, Profiles) and to.each


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"write one of {', '.join(known)}"
