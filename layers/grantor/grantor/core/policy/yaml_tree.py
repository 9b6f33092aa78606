"""Turn the bytes of a policy file into a tree of texts, lists and mappings, each with its place.

The bytes must be UTF-8, without any character that an editor does not show. Of YAML, a policy file
has no anchors, aliases, tags or second document.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import yaml

from grantor.core.diagnostics import (
    Fault,
    Position,
    ProblemCollector,
    is_invisible,
    quote_text,
)
from grantor.core.policy.yaml_errors import explain_error
from grantor.settings import MAX_POLICY_FILE_CHARACTERS, MAX_YAML_DEPTH

BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "UTF-8 with a byte order mark",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# What YAML 1.1 forbids, and what it takes for the end of a line although no editor does: U+0085,
# U+2028, U+2029, a lone CR.
FORBIDDEN_CHARACTER = re.compile(
    "\t|\r(?!\\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
)


def decode_body(body: bytes, problems: ProblemCollector) -> str | None:
    """The text of a file, its lines ended by LF or CR LF; None if it is wrong and reported."""
    if fault := _check_encoding(body):
        problems.add(Position(1, 1), *fault)
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        byte = body[error.start]
        what, why = f"byte 0x{byte:02x} is not UTF-8", "a policy file must be plain UTF-8"
        problems.add(_position_after(body[: error.start].decode()), what, why, "save it as UTF-8")
        return None
    return text if _check_characters(text, problems) else None


def _check_encoding(body: bytes) -> Fault | None:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            why = "a policy file must be plain UTF-8"
            return Fault(f"the file is {encoding}", why, "save it as UTF-8 without byte order mark")
    return _check_size(len(body) // 4)  # a character has at most four bytes in UTF-8


def _check_size(characters: int) -> Fault | None:
    if characters <= MAX_POLICY_FILE_CHARACTERS:
        return None
    what = f"the file has more than {MAX_POLICY_FILE_CHARACTERS:,} characters"
    return Fault(what, "every run reads every file", "split it into several files")


def _check_characters(text: str, problems: ProblemCollector) -> bool:
    if fault := _check_size(len(text)):
        problems.add(Position(1, 1), *fault)
        return False
    before = len(problems.problems)
    for number, line in enumerate(text.split("\n"), 1):
        # One message a line: a file that is indented by tabs has a mistake on each.
        found = _find_forbidden(line)
        if found is not None:
            problems.add(Position(number, found + 1), *_explain_character(line[found]))
    return len(problems.problems) == before


def _find_forbidden(line: str) -> int | None:
    """Where the first character stands that a policy file cannot have."""
    found = FORBIDDEN_CHARACTER.search(line)
    places = [found.start()] if found else []
    if not line.isascii():
        hidden = (at for at, sign in enumerate(line) if sign > "\x7f" and is_invisible(sign))
        places += islice(hidden, 1)
    return min(places, default=None)


def _explain_character(character: str) -> Fault:
    if character == "\t":
        why = "YAML forbids tabs where indentation matters, and editors show them in many widths"
        return Fault("a tab", why, "write spaces")
    if character == "\r":
        why = "only some programs end the line there"
        return Fault("a carriage return without a line feed", why, "end lines with LF or CR LF")
    what = f"the character U+{ord(character):04X}"
    if not FORBIDDEN_CHARACTER.fullmatch(character):
        why = "no editor shows it, so the file would say something other than its readers see"
        return Fault(what, why, "delete it, also in a comment")
    return Fault(what, "it is invisible, and YAML forbids it or ends the line there", "delete it")


def _position_after(text: str) -> Position:
    """Where the character stands that follows `text`."""
    return Position(text.count("\n") + 1, len(text) - text.rfind("\n"))


LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


class Text(NamedTuple):
    """A scalar, as written."""

    value: str
    line: int
    column: int
    plain: bool = False  # not quoted, so YAML may read it as something other than a text


class Items(NamedTuple):
    """A list."""

    values: tuple["Tree", ...]
    line: int
    column: int


class Hole(NamedTuple):
    """The place of something that is refused and reported already."""

    line: int
    column: int


class Fields(NamedTuple):
    """A mapping; `keys` has the place of each key."""

    values: dict[str, "Tree"]
    keys: dict[str, Text]
    line: int
    column: int

    def text(self, key: str) -> Text | None:
        """The text under `key`, if there is one."""
        found = self.values.get(key)
        return found if isinstance(found, Text) else None

    def items(self, key: str) -> tuple["Tree", ...]:
        """The items of the list under `key`; none if there is no list."""
        found = self.values.get(key)
        return found.values if isinstance(found, Items) else ()

    def value_of(self, key: str) -> str:
        """The text under `key`; "" if there is none."""
        found = self.values.get(key)
        return found.value if isinstance(found, Text) else ""

    def listed(self, key: str) -> tuple["Tree", ...]:
        """The items of the list under `key`, or the one value that stands in its place."""
        found = self.values.get(key)
        if isinstance(found, Items):
            return found.values
        return () if found is None else (found,)

    def fields(self, key: str) -> "Fields | None":
        """The mapping under `key`, if there is one."""
        found = self.values.get(key)
        return found if isinstance(found, Fields) else None


Tree = Text | Items | Fields | Hole
VARIABLE_NAME = re.compile(r"[a-z_]+(\.[\w.]+)?")


def unquoted_variable(tree: Tree) -> str:
    """The variable that an unquoted {name} stands for, "" if none; to YAML it is a mapping."""
    if isinstance(tree, Fields) and len(tree.values) == 1:
        ((name, value),) = tree.values.items()
        if isinstance(value, Text) and value.plain and not value.value:
            return name if VARIABLE_NAME.fullmatch(name) else ""
    return ""


class PolicyReader(ProblemCollector):
    """Reads one file, and collects its problems instead of stopping at the first."""

    main_key = "rules"  # what an empty file lacks

    def parse_tree(self, text: str, loader: Any = LOADER) -> Tree | None:
        """The tree of `text`, with a hole for each part that a policy file cannot have.

        None if there is no tree.
        """
        builder = _TreeBuilder(self)
        try:
            builder.build_tree(iter(loader(text).get_event, None))
        except yaml.MarkedYAMLError as error:
            position, fault = explain_error(error, text)
            self.add(position, *fault)
        # The pure parser also lets Python's own errors through.
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            why = " ".join(str(error).split())
            remedy = "correct the text here or a little further down"
            self.add(Position(*builder.at), "not valid YAML", why, remedy)
        root = builder.root
        if isinstance(root, Fields) or (root and not self.problems and not _is_empty(root)):
            return root
        if not self.problems:
            remedy = f"delete it, or write version: 1 and {self.main_key}:"
            self.add(Position(1, 1), "the file is empty", "an empty file has no effect", remedy)
        return None


def _is_empty(root: Tree) -> bool:
    return isinstance(root, Text) and not root.value


@dataclass(slots=True)
class _OpenCollection:
    """A collection whose end has not come yet."""

    line: int
    column: int
    nodes: list[Tree]


class _TreeBuilder:
    """Builds a tree from the events of a parser."""

    def __init__(self, problems: ProblemCollector) -> None:
        self.problems = problems
        self.open: list[_OpenCollection] = []
        self.root: Tree | None = None
        self.at = 1, 1
        self.documents = 0
        self.ended = False

    def build_tree(self, events: Iterable[Any]) -> None:
        steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._add_scalar,
            yaml.AliasEvent: self._refuse_alias,
            yaml.SequenceStartEvent: self._open_collection,
            yaml.MappingStartEvent: self._open_collection,
            yaml.SequenceEndEvent: self._close_list,
            yaml.MappingEndEvent: self._close_mapping,
            yaml.DocumentStartEvent: self._start_document,
        }
        for event in events:
            if step := steps.get(type(event)):
                step(event)
            if self.ended:
                return

    def _note_position(self, event: Any) -> tuple[int, int]:
        mark = event.start_mark
        self.at = mark.line + 1, mark.column + 1
        return self.at

    def _start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            position = Position(*self._note_position(event))
            why = "a policy file must be a single document"
            self.problems.add(position, "a second document", why, "write a file for each")
            self.ended = True

    def _add_scalar(self, event: Any) -> None:
        line, column = self._note_position(event)
        if event.anchor or event.tag:
            self._refuse_decoration(event)
        self._add_node(Text(event.value, line, column, not event.style))

    def _refuse_alias(self, event: Any) -> None:
        position = Position(*self._note_position(event))
        alias = f"*{event.anchor}"
        why = "policy files have no aliases, so that each rule is complete in itself"
        remedy = f'write "{alias}" if you mean the text, else what the alias stands for'
        self.problems.add(position, f"an alias, {quote_text(alias)}", why, remedy)
        self._add_node(Hole(*position))

    def _refuse_decoration(self, event: Any) -> None:
        position = Position(*self.at)
        if event.anchor:
            anchor = quote_text(f"&{event.anchor}")
            why = "policy files have no aliases, so nothing can refer to it"
            self.problems.add(position, f"an anchor, {anchor}", why, "remove it")
        if event.tag:
            tag = quote_text(event.tag.replace("tag:yaml.org,2002:", "!!", 1))
            why = "a tag makes YAML build something other than texts, lists and mappings"
            self.problems.add(position, f"a tag, {tag}", why, "remove it")

    def _open_collection(self, event: Any) -> None:
        line, column = self._note_position(event)
        if event.anchor or event.tag:
            self._refuse_decoration(event)
        if len(self.open) == MAX_YAML_DEPTH:
            what, why = f"{MAX_YAML_DEPTH + 1} nested collections", "no rule needs more than six"
            self.problems.add(Position(line, column), what, why, "use fewer levels")
            self.ended = True
        self.open.append(_OpenCollection(line, column, []))

    def _close_list(self, _: Any) -> None:
        closed = self.open.pop()
        self._add_node(Items(tuple(closed.nodes), closed.line, closed.column))

    def _close_mapping(self, _: Any) -> None:
        closed = self.open.pop()
        fields = Fields({}, {}, closed.line, closed.column)
        for key, value in zip(closed.nodes[::2], closed.nodes[1::2], strict=True):
            if isinstance(key, Text):
                self._add_pair(fields, key, value)
            elif not isinstance(key, Hole):
                what, why = "a key that is a list or a mapping", "keys must be words"
                self.problems.add(key, what, why, "write one word before the colon")
        self._add_node(fields)

    def _add_pair(self, fields: Fields, key: Text, value: Tree) -> None:
        if first := fields.keys.get(key.value):
            what = f"key {quote_text(key.value)} is repeated"
            already = f"line {first.line} already has it"
            why = f"{already}, and YAML would silently keep only one of the two"
            self.problems.add(key, what, why, "keep one of them")
            return
        fields.keys[key.value] = key
        if isinstance(value, Text) and value.plain and not value.value:
            value = Text("", key.line, key.column, True)  # a missing value has the place of its key
        fields.values[key.value] = value

    def _add_node(self, node: Tree) -> None:
        if self.open:
            self.open[-1].nodes.append(node)
        else:
            self.root = node


# What YAML takes an unquoted word for, where its author means a text. YAML 1.1 (which most programs
# read) has more such words than 1.2 (which most editors check); a word that either of them misreads
# must be quoted. https://yaml.org/type/ lists those of 1.1.
NUMBER = r"[-+]?(\.\d[\d_]*|\d[\d_]*(\.[\d_]*)?)(e[-+]?\d+)?|0[box][\da-f_]+|[-+]?\.inf|\.nan"
MISREAD_WORDS = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), reader, meaning)
    for pattern, reader, meaning in (
        ("y|yes|on", "YAML 1.1", "true"),
        ("n|no|off", "YAML 1.1", "false"),
        ("true|false", "YAML", "a boolean"),
        ("~|null", "YAML", "null"),
        ("0[0-7_]+", "YAML 1.1", "an octal number"),
        (r"\d{4}-\d\d?-\d\d?([t\s].*)?", "YAML 1.1", "a date"),
        (r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?", "YAML 1.1", "a number in base 60"),
        (NUMBER, "YAML", "a number"),
        ("<<|=", "YAML 1.1", "a special sign"),
    )
)
MISREAD_STARTS = frozenset("0123456789+-.~<=yYnNoOtTfF")


def explain_misread(word: str) -> Fault | None:
    """What goes wrong if `word` is not quoted; None if every YAML reads the text that is written.

    >>> print(explain_misread("no").why)
    YAML 1.1 reads it as false, but a text is expected
    >>> print(explain_misread("0123").remedy, explain_misread("user*"))
    write "0123" None
    """
    if word[:1] not in MISREAD_STARTS:
        return None
    for pattern, reader, meaning in MISREAD_WORDS:
        if pattern.fullmatch(word):
            why = f"{reader} reads it as {meaning}, but a text is expected"
            return Fault(f"{quote_text(word)} is not quoted", why, f'write "{word}"')
    return None
