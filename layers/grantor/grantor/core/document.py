"""YAML text as a tree that knows where everything stands, with the traps of YAML taken out.

Every scalar stays the text that its author wrote (`no` is "no", `0123` is "0123"), a key that stands twice is a mistake
instead of a silent winner, and aliases, tags and several documents are refused: a policy file has no use for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from grantor.core.problem import Problem

LARGEST = 1_000_000  # characters; a larger file is a mistake, and parsing it would cost the run its time


@dataclass(frozen=True)
class Text:
    """A scalar, as written."""

    value: str
    line: int
    column: int


@dataclass(frozen=True)
class Items:
    """A list."""

    values: tuple["Tree", ...]
    line: int
    column: int


@dataclass(frozen=True)
class Fields:
    """A mapping; `keys` says where each key stands."""

    values: dict[str, "Tree"]
    keys: dict[str, Text]
    line: int
    column: int


Tree = Text | Items | Fields


@dataclass
class Reader:
    """Reads one file, and collects what is wrong with it instead of stopping at the first mistake."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, place: Tree | Node, what: str, why: str, remedy: str) -> None:
        """Note a mistake where `place` stands."""
        line, column = (place.line, place.column) if not isinstance(place, Node) else _place(place)
        self.problems.append(Problem(self.file, line, column, what, why, remedy))

    def tree(self, text: str) -> Tree | None:
        """The tree of `text`; None, with the reasons in `problems`, where there is none to read."""
        root = self._root(text)
        tree = self._read(root) if root is not None else None
        return None if self.problems else tree

    def _root(self, text: str) -> Node | None:
        if len(text) > LARGEST:
            self._whole(
                f"the file has {len(text):,} characters", f"a policy file may have {LARGEST:,}", "split it into several files"
            )
            return None
        try:
            return self._composed(text)
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            line, column = _at(mark)
            self.problems.append(Problem(self.file, line, column, "not YAML", str(wrong.problem), "mend the text at this place"))
        except (yaml.YAMLError, RecursionError) as wrong:
            self._whole("not YAML", " ".join(str(wrong).split()) or "nested too deeply", "write plain YAML text")
        return None

    def _composed(self, text: str) -> Node | None:
        # The events come first: composing would already resolve aliases, and a few hundred bytes of them can mean gigabytes.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line, column = _at(event.start_mark)
                problem = ("an anchor or alias", "policy files have none, so that each rule says all of itself", "write it out")
                self.problems.append(Problem(self.file, line, column, *problem))
                return None
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            self._whole("the file is empty", "an empty file says nothing", "delete the file, or write version: 1 and rules:")
        return root

    def _whole(self, what: str, why: str, remedy: str) -> None:
        self.problems.append(Problem(self.file, 1, 1, what, why, remedy))

    def _read(self, node: Node) -> Tree:
        line, column = _place(node)
        match node:
            case ScalarNode():
                return Text(node.value, line, column)
            case SequenceNode():
                return Items(tuple(self._read(item) for item in node.value), line, column)
            case MappingNode():
                return self._mapping(node)
        raise TypeError(f"YAML has no node of type {type(node).__name__}")

    def _mapping(self, node: MappingNode) -> Fields:
        values: dict[str, Tree] = {}
        keys: dict[str, Text] = {}
        for key, value in self._pairs(node):
            if key.value in keys:
                first = keys[key.value]
                self.refuse(key, f"key {key.value!r} stands twice", f"it is already in line {first.line}", "keep one of them")
            keys[key.value] = key
            values[key.value] = self._read(value)
        return Fields(values, keys, *_place(node))

    def _pairs(self, node: MappingNode) -> Iterator[tuple[Text, Node]]:
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield Text(key.value, *_place(key)), value
            else:
                self.refuse(key, "a key that is a list or a mapping", "keys are words", "write one word before the colon")


def _place(node: Node) -> tuple[int, int]:
    return _at(node.start_mark)


def _at(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
