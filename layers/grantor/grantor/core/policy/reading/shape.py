"""Whether a tree has the shape that the language describes. What has it is kept; what has not is said, and left out."""

from collections.abc import Callable
from typing import Any

from grantor.core.policy.document import Fields, Hole, Items, Reader, Text, Tree
from grantor.core.policy.kinds import Choice, Either, Flag, Form, Idle, Kind, Listing, Mapping, Number, Reserved, Table, Version
from grantor.core.policy.reading import misshapen
from grantor.core.policy.reading.misshapen import At, under
from grantor.core.problem import Fault, listed, shown

Check = Callable[[Tree, Any, At], Tree | Fault]


class Shaper:
    """Checks the trees of one file against the language."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.checks: dict[type, Check] = {
            Form: misshapen.text,
            Choice: misshapen.choice,
            Flag: misshapen.flag,
            Version: misshapen.version,
            Number: misshapen.number,
            Either: self._either,
            Listing: self._listing,
            Table: self._table,
            Mapping: self._mapping,
            Reserved: misshapen.reserved,
        }

    def shaped(self, tree: Tree, kind: Kind, at: At) -> Tree | None:
        """`tree` without all that has not the shape of `kind`; None if nothing of it has. What is left out has been said."""
        if isinstance(tree, Hole) or self.reader.full:
            return None
        found = self.checks[type(kind)](tree, kind, at)
        if isinstance(found, Fault):
            self.reader.refuse(tree, *found)
            return None
        return found

    def _either(self, tree: Tree, either: Either, at: At) -> Tree | Fault:
        kind: Kind = either.text if misshapen.like_text(tree, either) else either.other
        return self.checks[type(kind)](tree, kind, at)

    def _listing(self, tree: Tree, listing: Listing, at: At) -> Tree | Fault:
        if not isinstance(tree, Items) or not tree.values:
            return misshapen.no_list(tree, listing, at)
        item = At(f"an item of {at.label}", "- ", part=at.part)
        kept = [good for given in tree.values if (good := self.shaped(given, listing.of, item)) is not None]
        self._apart(kept, at)
        return Items(tuple(kept), tree.line, tree.column)

    def _apart(self, kept: list[Tree], at: At) -> None:
        seen: set[str] = set()
        for item in kept:
            if isinstance(item, Text):
                if item.value in seen:
                    self.reader.refuse(item, f"{shown(item.value)} stands twice", f"{at.label} has it already", "take one out")
                seen.add(item.value)

    def _table(self, tree: Tree, table: Table, at: At) -> Tree | Fault:
        if not isinstance(tree, Fields) or not tree.values:
            return misshapen.no_table(tree, table, at)
        kept = Fields({}, tree.keys, tree.line, tree.column)
        for name, value in tree.values.items():
            key = self.shaped(tree.keys[name], table.key, At("a key", ""))
            good = self.shaped(value, table.value, under(name, True, at.part))
            if key is not None and good is not None:
                kept.values[name] = good
        return kept

    def _mapping(self, tree: Tree, mapping: Mapping, at: At) -> Tree | Fault:
        if not isinstance(tree, Fields):
            return misshapen.no_mapping(tree, mapping, at)
        kept = Fields({}, tree.keys, tree.line, tree.column)
        part = mapping.part or at.part
        meant = {self._unknown(key, mapping) for key in tree.keys.values() if key.value not in mapping.known}
        for name, value in tree.values.items():
            if key := mapping.known.get(name):
                place = tree.keys[name] if isinstance(key.takes, Reserved) else value
                if (good := self.shaped(place, key.takes, under(name, key.needed or name in mapping.one_of, part))) is not None:
                    kept.values[name] = good
        self._missing(tree, mapping, meant | tree.keys.keys())
        self._together(tree, mapping, part)
        return kept

    def _unknown(self, key: Text, mapping: Mapping) -> str:
        """Say that a key is unknown; the name of the one that was meant, if that can be told."""
        if self.reader.full:
            return ""
        fault, meant = misshapen.unknown(key.value, mapping)
        self.reader.refuse(key, *fault)
        return meant

    def _missing(self, tree: Fields, mapping: Mapping, there: set[str]) -> None:
        for name in mapping.needed:
            if name not in there:
                why = f"{mapping.name} needs {listed(mapping.needed, 'and')}{_and_one(mapping)}"
                self.reader.refuse(tree, f"{mapping.name} has no {name}", why, f"write {name}: {mapping.known[name].example}")
        if mapping.one_of and there.isdisjoint(mapping.one_of) and there <= mapping.known.keys():
            first = mapping.known[mapping.one_of[0]]
            why = f"it needs {listed(mapping.one_of)}"
            self.reader.refuse(tree, f"{mapping.name} says nothing", why, f"write for example {first.name}: {first.example}")

    def _together(self, tree: Fields, mapping: Mapping, part: str) -> None:
        """What stands there, and can not stand with what else stands there."""
        chosen = [name for name in tree.keys if name in mapping.one_of]
        if mapping.only_one and len(chosen) > 1:
            what = f"{mapping.name} has {listed(chosen, 'and')}"
            self.reader.refuse(tree.keys[chosen[1]], what, mapping.only_one, f"write a {part} for each")
        for clash in mapping.clashes:
            if clash.first in tree.keys and clash.second in tree.keys:
                later = max(tree.keys[clash.first], tree.keys[clash.second], key=lambda key: (key.line, key.column))
                self.reader.refuse(later, f"{clash.first} and {clash.second} together", clash.why, clash.remedy)
        for idle in mapping.idle:
            self._idle(tree, idle)

    def _idle(self, tree: Fields, idle: Idle) -> None:
        beside = tree.fields(idle.beside)
        there = [name for name in beside.keys if name in idle.among] if beside else []
        if there and (key := tree.keys.get(idle.key)):
            what = f"{idle.key} beside {idle.beside}: {{{there[0]}: …}}"
            self.reader.refuse(key, what, idle.why, idle.remedy)


def _and_one(mapping: Mapping) -> str:
    return f", and {listed(mapping.one_of)}" if mapping.one_of else ""
