"""The simulation itself: a seed is a world, worlds keep the promises, and a broken one is found,
shrunk and shown.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.reconcile import lease
from simulation.choices import Choices
from simulation.doubles.conditions import UnknownExpression, holds
from simulation.minimise import Minimiser
from simulation.mirror import Mirror
from simulation.page import render_page
from simulation.sentences import AT_REST, MOMENT
from simulation.substitutes import SUBSTITUTES, substituted
from simulation.trace import Journal
from simulation.world import World
from tests.conftest import ROOT

LAYER = ROOT / "layers/grantor"
# Modules whose names would make a run depend on more than its seed.
UNSTEADY = {"concurrent", "random", "secrets", "threading", "time", "uuid"}
ASIDE = {  # modules that no run of a world uses
    "aws/cleanup.py",
    "aws/doctor_facts.py",
    "aws/role_rights.py",
    "aws/stack_health.py",
    "aws/vended_sessions.py",
}
TYPES = {"Future"}  # names that stand in annotations only


def test_choices_play_a_record_again_and_end_with_the_plainest():
    first = Choices(seed=7)
    drawn = [first.draw(5) for _ in range(20)]
    again = Choices(record=first.record)

    assert [again.draw(5) for _ in range(25)] == [*drawn, 0, 0, 0, 0, 0]


def test_an_expression_that_the_table_does_not_know_is_not_guessed():
    with pytest.raises(UnknownExpression):
        holds("size(#data) > :most", {}, {}, {})


def test_the_scheduler_gives_the_product_every_thread_sleep_and_random_id():
    folders = ("aws", "reconcile", "core")
    modules = [path for one in folders for path in (LAYER / "grantor" / one).rglob("*.py")]
    found = {
        (f"grantor.{'.'.join(path.relative_to(LAYER / 'grantor').with_suffix('').parts)}", name)
        for path in modules
        if str(path.relative_to(LAYER / "grantor")) not in ASIDE
        for name in list_unsteady_imports(path)
    }

    assert {one for one in found - SUBSTITUTES.keys() if one[1] not in TYPES} == set()


def list_unsteady_imports(path: Path) -> set[str]:
    """The names that a module imports from modules in UNSTEADY."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.partition(".")[0] in UNSTEADY}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNSTEADY:
            found |= {one.name for one in node.names}
    return found


def test_the_product_is_as_before_after_a_world():
    before = vars(lease)["threading"]
    with substituted():
        assert vars(lease)["threading"] is not before

    assert vars(lease)["threading"] is before


def test_the_same_seed_is_the_same_world_in_every_process():
    first, second = (run_command("4711", "--trace") for _ in range(2))

    assert first == second
    assert "faults stop" in first


def run_command(*arguments: str) -> str:
    paths = ":".join(map(str, (ROOT, LAYER, ROOT / "sandbox/src")))
    done = subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": paths},
    )
    return done.stdout + done.stderr


def test_worlds_keep_the_promises():
    with substituted():
        results = [World(seed).run() for seed in range(40)]

    assert [str(one) for result in results for one in result.broken] == []
    assert sum(result.runs for result in results) > 100
    assert sum(sum(result.faults.values()) for result in results) > 20


def test_a_record_is_shrunk_to_what_matters():
    def try_record(record):
        return list(record) if 3 in record and 7 in record[record.index(3) :] else None

    noise = [1, 2, 3, 4, 9, 0, 2, 8, 7, 5, 5, 1] * 3

    assert Minimiser(try_record, noise).minimise() == [3, 7]


def test_a_broken_promise_is_in_the_trace_and_on_the_page():
    with substituted():
        journal = Journal(World(3))
        journal.world.promises.mirror = StrangersOwn()
        journal.world.promises.__post_init__()
        result = journal.run()
    page = render_page(journal, result, "</script> of a seed")
    data = re.search(r'<script type="application/json" id="world">(.*?)</script>', page, re.DOTALL)

    assert result.broken
    assert any("BROKEN" in str(step) for step in journal.steps)
    assert data is not None
    world = json.loads(data[1])
    assert world["title"].endswith("</script> of a seed")
    assert any(step["broken"] for step in world["steps"])
    assert "http" not in page.replace(data[1], "")


class StrangersOwn(Mirror):
    """A mirror in which no process ever holds the lease, so that each write breaks a promise."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, None if name == "lease_process" else value)


@pytest.mark.parametrize("promise", MOMENT | AT_REST)
def test_every_promise_is_checked_somewhere(promise: str):
    modules = [path for path in (ROOT / "simulation").glob("*.py") if path.stem != "sentences"]

    assert any(f'"{promise}"' in path.read_text() for path in modules)


def test_the_document_names_every_promise():
    page = (ROOT / "docs/verification.md").read_text()

    assert [
        key for key, text in (MOMENT | AT_REST).items() if f"| `{key}` | {text} |" not in page
    ] == []
