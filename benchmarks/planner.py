"""What deciding costs on one core: time and memory, beside the least that any planner does with the same names.

python -m benchmarks.planner TASK    one task, in a process whose memory is its own; prints its figures as JSON
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import yaml

from benchmarks.figures import Figure
from grantor.core.grant import Entry, Grant, Grantee, Location, Permission, Reason, State, profile_subject
from grantor.core.planning.expand import expand
from grantor.core.planning.plan import decide, doubtful
from grantor.core.policy.parser import read
from grantor.core.rules import Mode, Policy
from grantor.core.snapshot import Authority, Facts, Focus, Profile

ROOT = Path(__file__).parent.parent
GRANTS, FILES, RULES, PROFILES = 100_000, 1_000, 10, 1_000
ROUNDS = 3  # the best of them is the figure: what is slower was slowed by something else
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROLES = "arn:aws:iam::111122223333:role/studio"
FILE = "policy/team.yaml"
MODES: Mapping[str, Mode | None] = {FILE: Mode.AUTHORITATIVE}


def measure() -> list[Figure]:
    """Each task in a process of its own."""
    return [figure for task in TASKS for figure in _alone(task)]


def _alone(task: str) -> list[Figure]:
    command = [sys.executable, "-m", "benchmarks.planner", task]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Figure(**row) for row in json.loads(done.stdout)]


def nothing_to_change() -> list[Figure]:
    """100,000 wanted grants and the same 100,000 actual ones."""
    return _planned("nothing to change", actual=0)


def everything_to_change() -> list[Figure]:
    """100,000 wanted grants and 100,000 others."""
    return _planned("everything to change", actual=GRANTS)


def _planned(what: str, actual: int) -> list[Figure]:
    wanted = {_grant(n): frozenset([_reason(n)]) for n in range(GRANTS)}
    there = {_grant(n): f"id-{n}" for n in range(actual, actual + GRANTS)}
    entries = {
        _grant(n): Entry(_grant(n), State.LIVE, frozenset([_reason(n)]), f"id-{n}") for n in range(actual, actual + GRANTS)
    }
    authority = Authority.over(NOW, Focus(), MODES)

    def plan() -> None:
        ours = doubtful(entries, there)
        made = decide(wanted, entries, there, ours, authority)
        if (len(made.create), len(made.delete)) != (actual, actual):
            raise RuntimeError(f"not the plan that was to be: {len(made.create):,} creates, {len(made.delete):,} deletes")

    floor = _best(lambda: {_name(n) for n in range(GRANTS)} ^ {_name(n) for n in range(actual, actual + GRANTS)})
    took = _best(plan)
    title = f"plan of 100,000 grants, {what}"
    return [
        Figure(title, took, "s", bound=2),
        Figure(f"{title} / two sets of strings compared", took / floor, "x"),
        Figure(f"{title}, peak memory with all that goes in", _peak(), "MB", bound=512),
    ]


def files() -> list[Figure]:
    """1,000 policy files with 10,000 rules, from their bytes to 10,000 wanted grants."""
    bodies = {f"policy/team-{n}.yaml": _file(n) for n in range(FILES)}
    profiles = tuple(Profile("D", _user(n), f"{ROLES}/{_user(n)}") for n in range(PROFILES))
    facts = Facts(NOW, (Location("default", "s3://data/"),), profiles, frozenset(["D"]))

    def wanted() -> None:
        policies = [policy for key, body in bodies.items() if isinstance(policy := read(key, body, "data"), Policy)]
        grants = expand(policies, facts).grants
        if len(grants) != FILES * RULES:
            raise RuntimeError(f"not what the files say: {len(grants):,} grants of {len(policies):,} files")

    floor = _best(lambda: [yaml.load(body, yaml.CSafeLoader) for body in bodies.values()])
    took = _best(wanted)
    return [
        Figure("10,000 rules of 1,000 files, read and expanded", took, "s", bound=3),
        Figure("10,000 rules of 1,000 files / the same YAML in C, unread", took / floor, "x"),
        Figure("10,000 rules of 1,000 files, peak memory", _peak(), "MB", bound=512),
    ]


TASKS: dict[str, Callable[[], list[Figure]]] = {
    "nothing": nothing_to_change, "everything": everything_to_change, "files": files,
}  # fmt: skip


def _grant(n: int) -> Grant:
    return Grant(Grantee("IAM", f"{ROLES}/{_user(n // 100)}"), Permission.READ, f"s3://data/projects/{n % 100}/{n}/*")


def _name(n: int) -> str:
    return f"READ s3://data/projects/{n % 100}/{n}/* to {ROLES}/{_user(n // 100)}"


def _reason(n: int) -> Reason:
    return Reason(f"{FILE}#project-{n % 100}", (profile_subject("D", _user(n // 100)),))


def _user(n: int) -> str:
    return f"user-{n:04}"


def _file(n: int) -> bytes:
    rules = "".join(
        f"  - name: part-{part}\n    to: {{profiles: {{domain: D, names: [{_user((n * RULES + part) % PROFILES)}]}}}}\n"
        f"    on: s3://{{data_bucket}}/team-{n}/part-{part}/*\n    allow: READ\n"
        for part in range(RULES)
    )
    return f"version: 1\nrules:\n{rules}".encode()


def _best(do: Callable[[], object]) -> float:
    """Seconds of one core."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        do()
        times.append(time.process_time() - begun)
    return min(times)


def _peak() -> float:
    """The most memory that this process ever held, in MB. (getrusage would tell its parent's, from before the exec.)"""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise RuntimeError("/proc/self/status does not tell how much memory was held")
    return int(found[1]) / 1024


if __name__ == "__main__":
    print(json.dumps([vars(figure) for figure in TASKS[sys.argv[1]]()]))
