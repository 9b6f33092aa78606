"""The variables that a policy file gives values itself, under `vars`."""

from collections.abc import Iterator

from grantor.core.policy.document import Fields, Reader, Text
from grantor.core.policy.reading.context import Context
from grantor.core.policy.reading.variables import BRACES, BUCKET, Variables
from grantor.core.problem import Fault

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
