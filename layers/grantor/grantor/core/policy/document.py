"""YAML text as a tree that knows where everything stands, with the traps of YAML taken out.

Every scalar stays the text that its author wrote (`no` is "no", `0123` is "0123"), a key that stands twice is a mistake
instead of a silent winner, and aliases, tags and several documents are refused: a policy file has no use for them.
The tree grows from the parser's events: nothing is ever expanded, so a file can not cost more than its own length.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from grantor.core.policy.reading.syntax import explained
from grantor.core.problem import Findings, Spot, shown

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
