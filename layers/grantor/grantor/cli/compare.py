"""grantor compare: who gains and who loses between two sets of policy files."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from grantor.cli.compared_sides import (
    PlaceNames,
    SavedGround,
    StackGround,
    read_folder,
    read_side,
)
from grantor.cli.output import MAX_LISTED_LINES, Progress
from grantor.cli.session import CommandError, Session
from grantor.core.access.compare import AccessVerdict
from grantor.core.access.compare_rules import (
    ComparedSide,
    SideComparison,
    assume_nothing,
    compare_sides,
)
from grantor.core.access.compare_text import (
    PeopleNames,
    describe_comparison,
    encode_comparison,
)
from grantor.core.access.explain import AccessEvidence
from grantor.core.diagnostics import Fault
from grantor.core.planning.bounds import Bounds
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Inventory

DIFFERENT_EXIT_CODE = 3  # the two sides do not give the same
NEW_ACCESS_EXIT_CODE = 6  # of --no-new-access
NOWHERE = Home("", "")  # no account is the stack's


def run_compare(session: Session) -> int:
    """Exits with 0 if both sides give the same, with 3 if not; with --no-new-access, with 6 if the
    new side gives more and else with 0; with 1 if it cannot be decided.
    """
    given = session.arguments
    found, names = compare_anywhere(session) if given.rules_only else compare_here(session)
    as_of = found.now if given.profiles else None
    session.output.print_lines(describe_comparison(found, names, MAX_LISTED_LINES, as_of))
    session.output.print_json(encode_comparison(found, names, as_of))
    if found.verdict is None:
        return 1
    if given.no_new_access:
        return NEW_ACCESS_EXIT_CODE if found.found.gained else 0
    return 0 if found.verdict is AccessVerdict.EQUIVALENT else DIFFERENT_EXIT_CODE


def compare_here(session: Session) -> tuple[SideComparison, PeopleNames]:
    """Compare two sides over one inventory: the stack's, or a saved one."""
    given = session.arguments
    ground = SavedGround.read(given.profiles) if given.profiles else StackGround(session)
    with Progress("reading policy files and profiles"):
        before, after = (read_side(ground, name) for name in (given.old, given.new))
        inventory = ground.read_inventory((*before.policies, *after.policies))
    old, new = (one.expand(inventory) for one in (before, after))
    names = PeopleNames(inventory.sharing, ground.home)
    return compare_sides(old, new, inventory.now), names


def compare_anywhere(session: Session) -> tuple[SideComparison, PeopleNames]:
    """Compare two sides for every inventory that there could be.

    Raises CommandError if that is not possible.
    """
    given, now = session.arguments, datetime.now(UTC)
    names = PlaceNames()
    sides = [read_folder(one, Path(one), names) for one in (given.old, given.new)]
    if any(one.bounds for one in sides):
        default = Bounds.build_default(names.account, names.data_bucket)
        sides = [replace(one, bounds=one.bounds or default) for one in sides]
    old, new = (AccessEvidence(one.policies, Inventory(now), one.bounds) for one in sides)
    both = assume_nothing(old, new)
    if isinstance(both[0], Fault):
        more = len(both) - 1
        raise CommandError(f"{both[0].sentence}{f' (and {more:,} more)' if more else ''}")
    first, second = both
    assert isinstance(first, AccessEvidence)
    assert isinstance(second, AccessEvidence)
    sides_now = ComparedSide(given.old, first), ComparedSide(given.new, second)
    return compare_sides(*sides_now, now), PeopleNames({}, NOWHERE)
