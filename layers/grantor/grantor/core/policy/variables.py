"""What stands for {…} in a policy file.

A file's own variables are filled in when it is read, {data_bucket} at the end of it, so that a message shows the author's own
words. Those of profiles and folders stay, because each grant has other values for them.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import islice, product

from grantor.core.diagnostics import Fault, Judge, nearest, shown
from grantor.core.policy.yaml_tree import Fields, Reader, Text

BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
BUCKET = "data_bucket"
PREFIX = "prefix.name"
PROFILE = ("profile.name", "profile.folder")
MOST_NAMED = 20  # of a file's own variables, in a message
TAG = re.compile(r"profile\.tags\.[^{}]+")
# Where variables of a profile stand, and where one of them has no value: what a rule or job has to say for it to have one.
STAND = {"rule": "on", "job": "on, input, output and arguments"}
WHOSE = {"rule": "to: {each_profile: …}", "job": "as: {each_profile: …}"}
SPELLINGS = (
    ("${", Fault("a $ before a variable", "here a variable is written without it", "write {NAME}, not ${NAME}")),
    ("{{", Fault("a variable in double braces", "here one pair of braces is enough", "write {NAME}, not {{NAME}}")),
)


@dataclass(frozen=True)
class Variables:
    """The variables that one text may use: the file's own `values`, and where they are allowed those of a profile or a prefix."""

    values: Mapping[str, str]
    profile: bool = False
    prefix: bool = False
    later: AbstractSet[str] = frozenset()  # names that the file gives a value further down
    broken: AbstractSet[str] = frozenset()  # names whose values are wrong, which has been said
    part: str = "rule"  # or job: what the text is a part of

    def fill(self, text: str) -> tuple[str, tuple[Fault, ...]]:
        """`text` with the values of the file's own variables, and what is wrong with the others.

        >>> Variables({"area": "s3://{data_bucket}/teams"}, profile=True).fill("{area}/{profile.folder}/*")
        ('s3://{data_bucket}/teams/{profile.folder}/*', ())
        """
        if "{" not in text and "}" not in text:
            return text, ()
        for spelling, fault in SPELLINGS:
            if spelling in text:
                return text, (fault,)
        faults: list[Fault] = []
        return BRACES.sub(lambda found: self._value(found, faults), text), tuple(faults)

    def uses_broken(self, text: str) -> bool:
        """Whether a variable in `text` has no value because the file gives it a wrong one."""
        return bool(self.broken) and not self.broken.isdisjoint(BRACES.findall(text))

    def _value(self, found: re.Match[str], faults: list[Fault]) -> str:
        name = found[1]
        if name in self.values:
            return self.values[name]
        if fault := self._unbalanced(found[0]) if name is None else self._unknown(name):
            faults.append(fault)
        return found[0]

    def _unbalanced(self, brace: str) -> Fault:
        other = "}" if brace == "{" else "{"
        return Fault(f"a {brace} without its {other}", "braces hold the name of a variable", "write the pair, or take it out")

    def _unknown(self, name: str) -> Fault | None:
        known_profile = name in PROFILE or TAG.fullmatch(name)
        if name == BUCKET or (known_profile and self.profile) or (name == PREFIX and self.prefix):
            return None
        what = f"no value for {{{name}}}"
        if known_profile:
            why = f"variables of a profile stand in {STAND[self.part]}, and only with {WHOSE[self.part]}"
            return Fault(what, why, f"write {WHOSE[self.part]}, or take the variable out")
        if name == PREFIX and self.part == "job":
            return Fault(what, "only rules follow the folders that uploads make", "write the folder itself")
        if name == PREFIX:
            why = "it stands in to and on, and only with on: {each_prefix: …}"
            return Fault(what, why, "write on: {each_prefix: s3://BUCKET/FOLDER/}, or take the variable out")
        if name in self.later:
            return Fault(what, "vars are read from the top, and it has none yet here", f"give {name} its value above this line")
        known = [BUCKET, *self._kept(), *islice(self.values, MOST_NAMED)]
        near = nearest(name.strip(), known)
        remedy = f"did you mean {{{near}}}?" if near else "write one of these, or add it to vars"
        return Fault(f"unknown variable {shown(f'{{{name}}}')}", f"known here: {', '.join(known)}", remedy)

    def _kept(self) -> list[str]:
        profile = [*PROFILE, "profile.tags.KEY"] if self.profile else []
        return [*profile, PREFIX] if self.prefix else profile


@dataclass(frozen=True)
class Context:
    """Fills texts and judges them; `data_bucket` is the value of that variable."""

    reader: Reader
    variables: Variables
    data_bucket: str

    def text(self, given: Text, judge: Judge) -> str | None:
        """The text with the file's own variables filled in; None after saying what is wrong with it."""
        if self.variables.uses_broken(given.value):
            return None
        filled, faults = self.variables.fill(given.value)
        for fault in faults or tuple(judge(filled)):
            self.reader.refuse(given, *fault)
            faults = (fault,)
        return None if faults else filled

    def final(self, text: str) -> str:
        """`text` with the name of the data bucket: what goes into the rule."""
        return text.replace(f"{{{BUCKET}}}", self.data_bucket)


Contexts = dict[tuple[bool, bool], Context]  # by whether variables of a profile, and of a prefix, may stand in the text


def contexts(reader: Reader, variables: Variables, data_bucket: str, part: str = "rule") -> Contexts:
    """All contexts that the texts of a file's rules, or jobs, can have."""
    return {
        (profile, prefix): Context(reader, replace(variables, profile=profile, prefix=prefix, part=part), data_bucket)
        for profile, prefix in product((False, True), repeat=2)
    }


LONGEST = 2_000  # characters; as long as a scope can be, and no chain of variables grows beyond it


def own_variables(top: Fields, reader: Reader) -> Variables:
    """The file's own variables, each with those above it filled in."""
    given = top.fields("vars") or Fields({}, {}, 1, 1)
    values: dict[str, str] = {}
    later, broken = set(given.keys), set[str]()
    known = Variables(values, later=later, broken=broken)
    for name, key in given.keys.items():
        value = _value(given.text(name), key, Context(reader, known, ""))
        later.discard(name)
        if value is None:
            broken.add(name)
        else:
            values[name] = value
    return known


def _value(given: Text | None, key: Text, context: Context) -> str | None:
    if given is None:
        return None
    if key.value == BUCKET:
        context.reader.refuse(key, f"{BUCKET} among the variables", "Grantor gives it its value", "choose another name")
        return None
    return context.text(given, _faults) if _fixed(given, context) else None


def _fixed(given: Text, context: Context) -> bool:
    """Whether the value is the same for all profiles and folders."""
    for found in BRACES.findall(given.value):
        if found.startswith(("profile.", "prefix.")):
            why = "a variable of the file has one value everywhere"
            context.reader.refuse(given, f"{{{found}}} in a variable", why, f"write {{{found}}} in the rule or job itself")
            return False
    return True


def _faults(text: str) -> Iterator[Fault]:
    if len(text) > LONGEST:
        what = f"a value of {len(text):,} characters"
        yield Fault(what, f"with its variables filled in it may have {LONGEST:,}", "shorten it")
