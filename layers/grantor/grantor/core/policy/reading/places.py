"""Where a rule holds: what stands under `on`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from grantor.core import scope
from grantor.core.policy.document import Fields, Text, Tree
from grantor.core.policy.reading.context import Context
from grantor.core.policy.reading.variables import BUCKET, PREFIX, VARIABLE
from grantor.core.problem import Fault, Judge, shown

FOLDER = f"{{{PREFIX}}}"


@dataclass(frozen=True)
class Where:
    """A scope, the folder whose folders it is for, and what below it is not meant."""

    scope: str
    each_prefix: str = ""
    excepts: tuple[str, ...] = ()


def where(on: Tree, context: Context, *, raw_prefix: bool) -> Where | None:
    """The place that is meant; None after saying what is wrong."""
    judge = partial(scope.faults, raw_prefix=raw_prefix)
    if isinstance(on, Text):
        found = context.text(on, judge)
        return Where(context.final(scope.whole(found))) if found else None
    return _long(on, context, judge) if isinstance(on, Fields) else None


def _long(on: Fields, context: Context, judge: Judge) -> Where | None:
    base = _base(on.text("each_prefix"), context)
    single = on.text("object")
    found = context.text(single, scope.object_faults) if single else _scope(on, base, context, judge)
    excepts = _excepts(on, found, context) if not on.keys.keys() & {"each_prefix", "object"} else []
    if found is None or (base is None and "each_prefix" in on.keys):
        return None
    final = context.final
    return Where(final(found), final(base or ""), tuple(final(left_out) for left_out in excepts))


def _base(given: Text | None, context: Context) -> str | None:
    anything = replace(context, variables=replace(context.variables, profile=True, prefix=True))
    return anything.text(given, _base_faults) if given else None


def _base_faults(text: str) -> Iterable[Fault]:
    for found in VARIABLE.findall(text):
        if found != f"{{{BUCKET}}}":
            why = "the folders are looked for in one place, before there is a profile or a folder"
            return [Fault(f"{found} in each_prefix", why, "write the folder itself, and the variable in scope")]
    return scope.base_faults(text)


def _scope(on: Fields, base: str | None, context: Context, judge: Judge) -> str | None:
    given = on.text("scope")
    if given is None:
        return f"{base}{FOLDER}/*" if base else None
    found = context.text(given, judge)
    if found and "each_prefix" in on.keys and FOLDER not in found:
        why = "so each folder would get the same grant"
        context.reader.refuse(
            given, f"{FOLDER} does not stand in the scope", why, f'write scope: "{base or "s3://BUCKET/"}{FOLDER}/*"'
        )
    return scope.whole(found) if found else None


def _excepts(on: Fields, found: str | None, context: Context) -> list[str]:
    excepts = []
    for given in on.items("except"):
        left_out = context.text(given, scope.except_faults) if isinstance(given, Text) else None
        if left_out and found and (fault := _no_exception(found, scope.whole(left_out))):
            context.reader.refuse(given, *fault)
        elif left_out:
            excepts.append(scope.whole(left_out))
    return list(dict.fromkeys(excepts))


def _no_exception(outer: str, inner: str) -> Fault | None:
    if inner == outer:
        return Fault(f"{shown(inner)} is the scope itself", "nothing would be left of the rule", "take the rule out")
    if not outer.endswith("*"):
        return Fault(f"{shown(inner)} can not be left out", "the scope is one single object", "take except out")
    if not outer.endswith("/*"):
        why = "exceptions are kept by granting the folders beside them, and the scope ends inside a name"
        return Fault(f"{shown(inner)} can not be left out", why, "write a scope that ends with /*")
    if not scope.covers(outer, inner):
        why = f"the rule is on {outer} and gives nothing there"
        return Fault(f"{shown(inner)} lies outside the scope", why, "take it out, or write a scope below that of the rule")
    return None
