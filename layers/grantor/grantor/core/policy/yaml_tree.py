"""Bytes become text: UTF-8 and nothing else, with no character in it that an editor does not show."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from grantor.core.diagnostics import Fault, Findings, Spot, shown
from grantor.core.policy.yaml_errors import explained

LARGEST = 1_000_000  # characters; a larger file is a mistake, and reading it would cost the run its time
MARKS = ((b"\xef\xbb\xbf", "UTF-8 with a byte order mark"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
# What YAML 1.1 forbids, and what it takes for the end of a line though no editor does (U+0085, U+2028, U+2029, a lone CR).
UNSEEN = re.compile("\t|\r(?!\\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def decoded(body: bytes, findings: Findings) -> str | None:
    """The text of a file, lines ended by a line feed or by CR LF; None, with the reasons in `findings`, where it has none."""
    if fault := _foreign(body):
        findings.refuse(Spot(1, 1), *fault)
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        findings.refuse(_after(body[: wrong.start].decode()), *_not_utf8(body[wrong.start]))
        return None
    return text if _plain(text, findings) else None


def _foreign(body: bytes) -> Fault | None:
    for mark, called in MARKS:
        if body.startswith(mark):
            return Fault(f"the file is {called}", "a policy file is plain UTF-8", "save it as UTF-8 without byte order mark")
    return _too_large(len(body) // 4)  # UTF-8 has at most four bytes a character


def _too_large(characters: int) -> Fault | None:
    if characters <= LARGEST:
        return None
    return Fault(f"the file has more than {LARGEST:,} characters", "a run reads every file anew", "split it into several files")


def _not_utf8(byte: int) -> Fault:
    return Fault(f"byte 0x{byte:02x} is not UTF-8", "a policy file is plain UTF-8", "save it as UTF-8")


def _plain(text: str, findings: Findings) -> bool:
    if fault := _too_large(len(text)):
        findings.refuse(Spot(1, 1), *fault)
        return False
    before = len(findings.problems)
    for number, line in enumerate(text.split("\n"), 1):
        if found := UNSEEN.search(line):  # one message a line: a file indented by tabs has one mistake in each
            findings.refuse(Spot(number, found.start() + 1), *_unseen(found[0]))
    return len(findings.problems) == before


def _unseen(character: str) -> Fault:
    if character == "\t":
        return Fault("a tab", "YAML forbids it where it matters, and editors show it in many widths", "write spaces")
    if character == "\r":
        return Fault("a carriage return without line feed", "only some readers end the line there", "end lines by LF or CR LF")
    return Fault(
        f"the character U+{ord(character):04X}", "it can not be seen, and YAML forbids it or ends the line there", "delete it"
    )


def _after(text: str) -> Spot:
    """Where the character stands that follows `text`."""
    return Spot(text.count("\n") + 1, len(text) - text.rfind("\n"))


LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's parser is ten times as fast
DEEPEST = 16  # collections in one another; the deepest rule has six


class Text(NamedTuple):
    """A scalar, as written; `plain` if it stands without quotes, so that YAML may take it for something else."""

    value: str
    line: int
    column: int
    plain: bool = False


class Items(NamedTuple):
    """A list."""

    values: tuple["Tree", ...]
    line: int
    column: int


class Hole(NamedTuple):
    """Where something stood that has been refused already; there is nothing more to say about it."""

    line: int
    column: int


class Fields(NamedTuple):
    """A mapping; `keys` says where each key stands."""

    values: dict[str, "Tree"]
    keys: dict[str, Text]
    line: int
    column: int

    def text(self, key: str) -> Text | None:
        """The text that stands under `key`, if one does."""
        found = self.values.get(key)
        return found if isinstance(found, Text) else None

    def items(self, key: str) -> tuple["Tree", ...]:
        """What the list under `key` holds; nothing if there is none."""
        found = self.values.get(key)
        return found.values if isinstance(found, Items) else ()

    def fields(self, key: str) -> "Fields | None":
        """The mapping that stands under `key`, if one does."""
        found = self.values.get(key)
        return found if isinstance(found, Fields) else None


Tree = Text | Items | Fields | Hole


class Reader(Findings):
    """Reads one file, and collects what is wrong with it instead of stopping at the first mistake."""

    def tree(self, text: str, loader: Any = LOADER) -> Tree | None:
        """The tree of `text`, with a hole for each part that YAML has and a policy file has not; None where there is none."""
        growth = _Growth(self)
        try:
            growth.follow(iter(loader(text).get_event, None))
        except yaml.MarkedYAMLError as wrong:
            spot, fault = explained(wrong, text)
            self.refuse(spot, *fault)
        except (yaml.YAMLError, ValueError, OverflowError) as wrong:  # the pure parser lets Python's own errors through
            self.refuse(Spot(*growth.at), "not YAML", " ".join(str(wrong).split()), "mend the text here or a little further down")
        if isinstance(growth.root, Fields) or (growth.root and not self.problems and not _empty(growth.root)):
            return growth.root
        if not self.problems:
            self.refuse(
                Spot(1, 1), "the file is empty", "an empty file says nothing", "delete it, or write version: 1 and rules:"
            )
        return None


def _empty(root: Tree) -> bool:
    return isinstance(root, Text) and not root.value


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    line: int
    column: int
    nodes: list[Tree]


class _Growth:
    """Grows a tree from the events of a parser."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.open: list[_Open] = []
        self.root: Tree | None = None
        self.at = 1, 1
        self.documents = 0
        self.ended = False

    def follow(self, events: Iterable[Any]) -> None:
        steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceEndEvent: self._end_of_list,
            yaml.MappingEndEvent: self._end_of_mapping,
            yaml.DocumentStartEvent: self._document,
        }
        for event in events:
            if step := steps.get(type(event)):
                step(event)
            if self.ended:
                return

    def _at(self, event: Any) -> tuple[int, int]:
        mark = event.start_mark
        self.at = mark.line + 1, mark.column + 1
        return self.at

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            what = "a second document"
            self.findings.refuse(Spot(*self._at(event)), what, "a policy file is one document", "write a file for each")
            self.ended = True

    def _scalar(self, event: Any) -> None:
        line, column = self._at(event)
        if event.anchor or event.tag:
            self._decorated(event)
        self._place(Text(event.value, line, column, not event.style))

    def _alias(self, event: Any) -> None:
        spot, alias = Spot(*self._at(event)), shown(f"*{event.anchor}")
        why = "policy files have none, so that each rule says all of itself"
        remedy = f'write "*{event.anchor}" if it is a text, else what the alias stands for'
        self.findings.refuse(spot, f"an alias, {alias}", why, remedy)
        self._place(Hole(*spot))

    def _decorated(self, event: Any) -> None:
        if event.anchor:
            why = "policy files have no aliases, so nothing can refer to it"
            self.findings.refuse(Spot(*self.at), f"an anchor, {shown(f'&{event.anchor}')}", why, "take it out")
        if event.tag:
            why = "a tag makes YAML build something else than text, lists and mappings"
            tag = shown(event.tag.replace("tag:yaml.org,2002:", "!!", 1))
            self.findings.refuse(Spot(*self.at), f"a tag, {tag}", why, "take it out")

    def _begin(self, event: Any) -> None:
        line, column = self._at(event)
        if event.anchor or event.tag:
            self._decorated(event)
        if len(self.open) == DEEPEST:
            self.findings.refuse(
                Spot(line, column), f"{DEEPEST + 1} collections in one another", "no rule needs more than six", "write it flatter"
            )
            self.ended = True
        self.open.append(_Open(line, column, []))

    def _end_of_list(self, _: Any) -> None:
        ended = self.open.pop()
        self._place(Items(tuple(ended.nodes), ended.line, ended.column))

    def _end_of_mapping(self, _: Any) -> None:
        ended = self.open.pop()
        fields = Fields({}, {}, ended.line, ended.column)
        for key, value in zip(ended.nodes[::2], ended.nodes[1::2], strict=True):
            if isinstance(key, Text):
                self._pair(fields, key, value)
            elif not isinstance(key, Hole):
                self.findings.refuse(
                    key, "a key that is a list or a mapping", "keys are words", "write one word before the colon"
                )
        self._place(fields)

    def _pair(self, fields: Fields, key: Text, value: Tree) -> None:
        if first := fields.keys.get(key.value):
            why = f"it is already in line {first.line}, and YAML would silently keep one of the two"
            self.findings.refuse(key, f"key {shown(key.value)} stands twice", why, "keep one of them")
            return
        empty = isinstance(value, Text) and value.plain and not value.value
        fields.keys[key.value] = key
        fields.values[key.value] = Text("", key.line, key.column, True) if empty else value  # nothing stands at its key

    def _place(self, node: Tree) -> None:
        if self.open:
            self.open[-1].nodes.append(node)
        else:
            self.root = node
