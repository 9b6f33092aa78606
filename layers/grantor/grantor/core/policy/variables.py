"""The variables of a policy file: what {…} stands for.

The file's own variables are filled in while the file is parsed, and {data_bucket} last, so that a
message shows the author's own words. Variables of profiles and folders remain, because each grant
has other values for them.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import islice, product

from grantor.core.diagnostics import Fault, TextCheck, find_nearest, quote_text
from grantor.core.key_pattern import CAPTURE
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text
from grantor.settings import MAX_LISTED_VARIABLES, MAX_VARIABLE_CHARACTERS

BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
BUCKET = "data_bucket"
PREFIX = "prefix.name"
PROFILE = ("profile.name", "profile.folder", "domain.name")
PROFILE_TAG = re.compile(r"profile\.tags\.[^{}]+")
# Where a profile's variables are available, and what a rule or job must say to have them.
PROFILE_PLACES = {"rule": "on", "job": "on, input, output and arguments"}
PROFILE_KEYS = {"rule": "to: {each_profile: …}", "job": "as: {each_profile: …}"}
# Why a text of these parts has no variable of a profile or folder
ONE_NAME = {
    "suspension": "a suspension names one principal",
    "test": "a test asks about one principal and one place",
}
WRONG_SPELLINGS = {
    "${": Fault(
        "a $ before a variable",
        "policy files write variables without it",
        "write {NAME}, not ${NAME}",
    ),
    "{{": Fault(
        "a variable in double braces",
        "one pair of braces is enough",
        "write {NAME}, not {{NAME}}",
    ),
}


@dataclass(frozen=True)
class Variables:
    """The variables that a text may use: the file's own, and perhaps a profile's or a prefix's."""

    values: Mapping[str, str]
    profile: bool = False
    prefix: bool = False
    later: AbstractSet[str] = frozenset()  # names that get their value further down in the file
    broken: AbstractSet[str] = frozenset()  # names whose value is wrong and has been reported
    part: str = "rule"  # or job, suspension or test: what the text is a part of
    # Captures of a job's `on` that have a value here; None where the text itself defines them.
    captures: AbstractSet[str] | None = frozenset()

    def fill_text(self, text: str) -> tuple[str, tuple[Fault, ...]]:
        """`text` with the values of the file's own variables, and what is wrong with the others.

        >>> known = Variables({"area": "s3://{data_bucket}/teams"}, profile=True)
        >>> known.fill_text("{area}/{profile.folder}/*")
        ('s3://{data_bucket}/teams/{profile.folder}/*', ())
        """
        if "{" not in text and "}" not in text:
            return text, ()
        for spelling, fault in WRONG_SPELLINGS.items():
            if spelling in text:
                return text, (fault,)
        faults: list[Fault] = []
        return BRACES.sub(lambda found: self._value_of(found, faults), text), tuple(faults)

    def uses_broken(self, text: str) -> bool:
        """Whether a variable in `text` has no value because its definition is wrong."""
        return bool(self.broken) and not self.broken.isdisjoint(BRACES.findall(text))

    def _value_of(self, found: re.Match[str], faults: list[Fault]) -> str:
        name = found[1]
        if name in self.values:
            return self.values[name]
        if fault := _explain_brace(found[0]) if name is None else self._explain_name(name):
            faults.append(fault)
        return found[0]

    def _explain_name(self, name: str) -> Fault | None:
        of_profile = name in PROFILE or PROFILE_TAG.fullmatch(name)
        if (
            name == BUCKET
            or (of_profile and self.profile)
            or (name == PREFIX and self.prefix)
            or self._is_capture(name)
        ):
            return None
        what = f"{{{name}}} has no value"
        if (named := ONE_NAME.get(self.part)) and (of_profile or name == PREFIX):
            return Fault(what, named, "write the name itself")
        if of_profile:
            key = PROFILE_KEYS[self.part]
            places = PROFILE_PLACES[self.part]
            why = f"variables of a profile are available in {places}, and only with {key}"
            return Fault(what, why, f"write {key}, or remove the variable")
        if name == PREFIX:
            return self._explain_prefix(what)
        if name in self.later:
            why = "vars are read from top to bottom, and it is not defined yet"
            return Fault(what, why, f"define {name} above this line")
        return self.explain_unknown(name)

    def _is_capture(self, name: str) -> bool:
        if self.captures is None:
            return CAPTURE.fullmatch(f"{{{name}}}") is not None
        return name in self.captures

    def _explain_prefix(self, what: str) -> Fault:
        if self.part == "job":
            why = "only rules follow the folders that uploads create"
            return Fault(what, why, "write the folder itself")
        key = "on: {each_prefix: s3://BUCKET/FOLDER/}"
        why = "it is available in to and on, and only with on: {each_prefix: …}"
        return Fault(what, why, f"write {key}, or remove the variable")

    def list_known(self) -> list[str]:
        """The names of the variables that have a value here."""
        known = [BUCKET]
        known += [*PROFILE, "profile.tags.KEY"] if self.profile else []
        known += [PREFIX] if self.prefix else []
        known += islice(self.values, MAX_LISTED_VARIABLES)
        return [*known, *sorted(self.captures or ())]

    def explain_unknown(self, name: str) -> Fault:
        """Say that a variable is unknown, and which ones are known here."""
        known = self.list_known()
        near = find_nearest(name.strip(), known)
        remedy = f"did you mean {{{near}}}?" if near else "write one of these, or add it to vars"
        what = f"unknown variable {quote_text(f'{{{name}}}')}"
        return Fault(what, f"available here: {', '.join(known)}", remedy)


def _explain_brace(brace: str) -> Fault:
    why = "braces enclose the name of a variable"
    return Fault(f"an unmatched {brace}", why, "write both braces, or remove this one")


@dataclass(frozen=True)
class TextContext:
    """Fills and checks texts; `data_bucket` is the value of that variable."""

    reader: PolicyReader
    variables: Variables
    data_bucket: str

    def check_text(self, given: Text, find_faults: TextCheck) -> str | None:
        """The text with the file's own variables filled in; None if it is wrong and reported."""
        if self.variables.uses_broken(given.value):
            return None
        filled, faults = self.variables.fill_text(given.value)
        faults = faults or tuple(find_faults(filled))
        for fault in faults:
            self.reader.add(given, *fault)
        return None if faults else filled

    def fill_bucket(self, text: str) -> str:
        """`text` with the name of the data bucket: what goes into the rule."""
        return text.replace(f"{{{BUCKET}}}", self.data_bucket)


# By whether variables of a profile, and of a prefix, are available in the text.
Contexts = dict[tuple[bool, bool], TextContext]


def build_contexts(
    reader: PolicyReader, variables: Variables, data_bucket: str, part: str = "rule"
) -> Contexts:
    """All contexts that the texts of a file's rules, or jobs, can have."""
    return {
        (profile, prefix): TextContext(
            reader, replace(variables, profile=profile, prefix=prefix, part=part), data_bucket
        )
        for profile, prefix in product((False, True), repeat=2)
    }


def read_variables(top: Fields, reader: PolicyReader) -> Variables:
    """The file's own variables, each with those above it filled in."""
    given = top.fields("vars") or Fields({}, {}, 1, 1)
    values: dict[str, str] = {}
    later, broken = set(given.keys), set[str]()
    known = Variables(values, later=later, broken=broken)
    for name, key in given.keys.items():
        value = _read_value(given.text(name), key, TextContext(reader, known, ""))
        later.discard(name)
        if value is None:
            broken.add(name)
        else:
            values[name] = value
    return known


def _read_value(given: Text | None, key: Text, context: TextContext) -> str | None:
    if given is None:
        return None
    if key.value == BUCKET:
        why = "Grantor sets this variable itself"
        context.reader.add(key, f"{BUCKET} in vars", why, "choose another name")
        return None
    return context.check_text(given, _find_length_faults) if _is_fixed(given, context) else None


def _is_fixed(given: Text, context: TextContext) -> bool:
    """Whether the value is the same for all profiles and folders; if not, that is reported."""
    for found in BRACES.findall(given.value):
        if found.startswith(("profile.", "prefix.", "domain.")):
            what, why = f"{{{found}}} in vars", "a variable of the file has one value everywhere"
            remedy = f"write {{{found}}} in the rule or job itself"
            context.reader.add(given, what, why, remedy)
            return False
    return True


def _find_length_faults(text: str) -> Iterator[Fault]:
    if len(text) > MAX_VARIABLE_CHARACTERS:
        why = f"with its variables filled in, it may have at most {MAX_VARIABLE_CHARACTERS:,}"
        yield Fault(f"the value has {len(text):,} characters", why, "shorten it")
