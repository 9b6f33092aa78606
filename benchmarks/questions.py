"""What a question about 100,000 grants costs: in process beside a linear scan, and as a command.

python -m benchmarks.questions TASK    one task in this process; prints its figures as JSON
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.planner import (
    FILE,
    FILES,
    GRANTS,
    ROOT,
    ROUNDS,
    build_grant,
    build_inventory,
    build_reason,
    measure_best,
    read_peak_memory,
    run_alone,
    write_policy_text,
)
from grantor.core.access.access_index import AccessIndex, list_reaches
from grantor.core.access.inventory_document import encode_inventory
from grantor.core.access.saved_inventory import SavedFile, SavedGrants, SavedInventory
from grantor.core.diagnostics import dump_json
from grantor.core.grant import LedgerEntry, State, covers
from grantor.core.planning.rendering import Home
from harness.figures import Figure

REPEATS = 100  # of a question that takes microseconds
OBJECT, FOLDER = "s3://data/projects/7/1107/abalone.csv", "s3://data/projects/7/*"
WHO = build_grant(1107).grantee
NAMES = {OBJECT: "an object", FOLDER: "a folder", WHO.identifier: "a role"}
SPENT = 'print(time.process_time(), open("/proc/self/status").read(), file=sys.stderr)'
ASK = f"import sys, time\nfrom grantor.cli.main import main\nmain(sys.argv[1:])\n{SPENT}"
PARSE = f"import json, sys, time\njson.load(open(sys.argv[1]))\n{SPENT}"


def measure_questions() -> list[Figure]:
    """Measure each task in a process of its own."""
    return [figure for task in TASKS for figure in run_alone("benchmarks.questions", task)]


def ask_in_process() -> list[Figure]:
    """Questions to an index of 100,000 grants, and the same by looking at each grant."""
    grants = [build_grant(n) for n in range(GRANTS)]
    building = measure_best(lambda: AccessIndex(grants).list_within(FOLDER))
    index = AccessIndex(grants)
    index.list_within(FOLDER)
    questions: dict[str, tuple[Callable[[], Sequence[object]], Callable[[], Sequence[object]]]] = {
        "who, an object": (
            lambda: index.list_covering(OBJECT),
            lambda: [one for one in grants if covers(one.scope, OBJECT)],
        ),
        "who, a folder with 1,000 answers": (
            lambda: [*index.list_covering(FOLDER), *index.list_within(FOLDER)],
            lambda: [one for one in grants if covers(FOLDER, one.scope)],
        ),
        "reach, a role with 100 grants": (
            lambda: index.list_held([WHO]),
            lambda: [one for one in grants if one.grantee == WHO],
        ),
    }
    figures = [
        Figure("who, an object: look-ups in the index of 100,000", len(list_reaches(OBJECT)), ""),
    ]
    for what, (ask, scan) in questions.items():
        if len(ask()) != len(scan()) or not ask():
            raise RuntimeError(f"{what}: {len(ask())} answers, and a scan finds {len(scan())}")
        took, floor = _measure_repeated(ask), measure_best(scan)
        figures += [
            Figure(what, took * 1_000_000, "µs", bound=50_000),
            Figure(f"{what}: each grant looked at / the index", floor / took, "x"),
        ]
    return [
        *figures,
        Figure("the index of 100,000 grants, built once", building * 1000, "ms"),
        Figure("the index of 100,000 grants, peak memory with them", read_peak_memory(), "MB"),
    ]


def _measure_repeated(ask: Callable[[], object]) -> float:
    """The seconds of CPU of one question."""
    return measure_best(lambda: [ask() for _ in range(REPEATS)]) / REPEATS


def ask_by_command() -> list[Figure]:
    """`grantor who` and `reach` with a saved inventory of 100,000 grants, and the least that a
    program in Python must do: parse its JSON.
    """
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "inventory.json"
        file.write_text(dump_json(encode_inventory(_build_saved())))
        size = file.stat().st_size / 1e6
        least, _ = _run_best(PARSE, str(file))
        figures = [Figure("the saved inventory of 100,000 grants", size, "MB")]
        for words in (("who", OBJECT), ("who", FOLDER), ("reach", WHO.identifier)):
            took, peak = _run_best(ASK, *words, "--profiles", str(file))
            what = f"grantor {words[0]}, {NAMES[words[1]]}"
            figures += [
                Figure(f"{what}, offline", took, "s", bound=1),
                Figure(f"{what}, offline / its JSON parsed", took / least, "x"),
                Figure(f"{what}, offline, peak memory", peak, "MB", bound=512),
            ]
    return figures


def _build_saved() -> SavedInventory:
    """An inventory with 1,000 policy files; no question about grants parses one."""
    entries, actual = {}, {}
    for n in range(GRANTS):
        grant, reasons = build_grant(n), frozenset([build_reason(n)])
        grant_id = f"5f0c0a3e-0000-4000-8000-{n:012}"
        entries[grant] = LedgerEntry(grant, State.LIVE, reasons, grant_id, "2026-11-24T10:00:00Z")
        actual[grant] = grant_id
    texts = {f"policy/team-{n}.yaml": write_policy_text(n).decode() for n in range(FILES)}
    return SavedInventory(
        "grantor",
        Home("aws", "111122223333"),
        "us-east-1",
        "data",
        build_inventory(),
        [SavedFile(key, "1", text) for key, text in {**texts, FILE: texts.popitem()[1]}.items()],
        grants=SavedGrants.collect(entries, actual),
    )


def _run_best(program: str, *words: str) -> tuple[float, float]:
    """The seconds of CPU from the start of the process, and the peak memory in MB, of the best
    round.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers/grantor")}
    command, rounds = [sys.executable, "-c", program, *words], []
    for _ in range(ROUNDS):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        seconds, _, status = done.stderr.partition(" ")
        rounds.append((float(seconds), read_peak_memory(status)))
    return min(rounds)


TASKS: dict[str, Callable[[], list[Figure]]] = {
    "in-process": ask_in_process,
    "command": ask_by_command,
}


if __name__ == "__main__":
    print(json.dumps([vars(figure) for figure in TASKS[sys.argv[1]]()]))
