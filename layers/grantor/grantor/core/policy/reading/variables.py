"""What stands for {…} in a policy file.

A file's own variables are filled in when it is read, {data_bucket} at the end of it, so that a message shows the author's own
words. Those of profiles and folders stay, because each grant has other values for them.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from grantor.core.problem import Fault, nearest, shown

BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
VARIABLE = re.compile(r"\{[^{}]*\}")
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


def bare(text: str) -> str:
    """`text` with a word in place of each variable, to judge its form before the values are known.

    >>> bare("s3://data/{profile.folder}/*")
    's3://data/variable/*'
    """
    return VARIABLE.sub("variable", text) if "{" in text else text
