"""What planning costs on one core: time and memory, beside the least that any planner must do.

python -m benchmarks.planner TASK    one task in this process; prints its figures as JSON
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

from grantor.core.access.compare_rules import ComparedSide, compare_sides
from grantor.core.access.explain import AccessEvidence
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Location,
    Permission,
    Reason,
    State,
    profile_subject,
)
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.plan import compute_plan, find_doubtful
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy
from grantor.core.snapshot import Authority, Focus, Inventory, Profile
from grantor.reconcile.run import pause_collector
from harness.figures import Figure

ROOT = Path(__file__).parent.parent
GRANTS, FILES, RULES, PROFILES = 100_000, 1_000, 10, 1_000
ROUNDS = 3  # the best is the figure: a slower one was slowed by something else
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROLES = "arn:aws:iam::111122223333:role/studio"
FILE = "policy/team.yaml"
MODES: Mapping[str, Mode | None] = {FILE: Mode.AUTHORITATIVE}


def measure_tasks() -> list[Figure]:
    """Measure each task in a process of its own."""
    return [figure for task in TASKS for figure in run_alone("benchmarks.planner", task)]


def run_alone(module: str, task: str) -> list[Figure]:
    """The figures that a task of a module prints in a process of its own."""
    command = [sys.executable, "-m", module, task]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Figure(**row) for row in json.loads(done.stdout)]


def plan_no_changes() -> list[Figure]:
    """100,000 wanted grants and the same 100,000 actual ones."""
    return _measure_plan("nothing to change", actual=0)


def plan_all_changes() -> list[Figure]:
    """100,000 wanted grants and 100,000 others."""
    return _measure_plan("everything to change", actual=GRANTS)


def _measure_plan(what: str, actual: int) -> list[Figure]:
    wanted = {build_grant(n): frozenset([build_reason(n)]) for n in range(GRANTS)}
    there = {build_grant(n): f"id-{n}" for n in range(actual, actual + GRANTS)}
    entries = {
        build_grant(n): LedgerEntry(
            build_grant(n), State.LIVE, frozenset([build_reason(n)]), f"id-{n}"
        )
        for n in range(actual, actual + GRANTS)
    }
    authority = Authority.build(NOW, Focus(), MODES)

    def compute() -> None:
        ours = find_doubtful(entries, there)
        made = compute_plan(wanted, entries, there, ours, authority)
        if (len(made.create), len(made.delete)) != (actual, actual):
            counts = f"{len(made.create):,} creates, {len(made.delete):,} deletes"
            raise RuntimeError(f"not the expected plan: {counts}")

    floor = measure_best(
        lambda: (
            {_build_text(n) for n in range(GRANTS)}
            ^ {_build_text(n) for n in range(actual, actual + GRANTS)}
        )
    )
    with pause_collector():  # as a run does
        took = measure_best(compute)
    title = f"plan of 100,000 grants, {what}"
    return [
        Figure(title, took, "s", bound=2),
        Figure(f"{title} / two sets of strings compared", took / floor, "x"),
        Figure(f"{title}, peak memory with the input", read_peak_memory(), "MB", bound=512),
    ]


def read_files() -> list[Figure]:
    """1,000 policy files with 10,000 rules, from their bytes to 10,000 wanted grants."""
    bodies = {f"policy/team-{n}.yaml": write_policy_text(n) for n in range(FILES)}
    facts = build_inventory()

    def expand_files() -> None:
        policies = [
            policy
            for key, body in bodies.items()
            if isinstance(policy := parse_policy(key, body, "data"), Policy)
        ]
        grants = expand_rules(policies, facts).grants
        if len(grants) != FILES * RULES:
            counts = f"{len(grants):,} grants of {len(policies):,} files"
            raise RuntimeError(f"not what the files say: {counts}")

    floor = measure_best(lambda: [yaml.load(body, yaml.CSafeLoader) for body in bodies.values()])
    took = measure_best(expand_files)
    return [
        Figure("10,000 rules of 1,000 files, read and expanded", took, "s", bound=3),
        Figure("10,000 rules of 1,000 files / the same YAML in C, unread", took / floor, "x"),
        Figure("10,000 rules of 1,000 files, peak memory", read_peak_memory(), "MB", bound=512),
    ]


def compare_files() -> list[Figure]:
    """1,000 policy files with 1,000 of which every tenth gives another person what it gave; from
    their bytes to the verdict.
    """
    old = {f"policy/team-{n}.yaml": write_policy_text(n) for n in range(FILES)}
    new = {key: write_policy_text(n, moved=n % 10 == 0) for n, key in enumerate(old)}
    facts = build_inventory()

    def parse(bodies: Mapping[str, bytes]) -> tuple[Policy, ...]:
        parsed = (parse_policy(key, body, "data") for key, body in bodies.items())
        return tuple(policy for policy in parsed if isinstance(policy, Policy))

    def compare() -> None:
        one, other = (ComparedSide("", AccessEvidence(parse(each), facts)) for each in (old, new))
        found = compare_sides(one, other, NOW).found
        if len(found.gained) != len(found.lost) or len(found.lost) != FILES // 10 * RULES:
            raise RuntimeError(f"{len(found.gained):,} gained and {len(found.lost):,} lost")

    floor = measure_best(lambda: (parse(old), parse(new)))
    took = measure_best(compare)
    return [
        Figure("1,000 files compared with 1,000, each with 10 rules", took, "s", bound=5),
        Figure("1,000 files compared with 1,000 / the same files parsed", took / floor, "x"),
        Figure("1,000 files compared with 1,000, peak memory", read_peak_memory(), "MB", bound=512),
    ]


TASKS: dict[str, Callable[[], list[Figure]]] = {
    "nothing": plan_no_changes,
    "everything": plan_all_changes,
    "files": read_files,
    "compare": compare_files,
}


def build_grant(n: int) -> Grant:
    """A grant; a hundred have one grantee."""
    return Grant(
        Grantee("IAM", f"{ROLES}/{_user_name(n // 100)}"),
        Permission.READ,
        f"s3://data/projects/{n % 100}/{n}/*",
    )


def _build_text(n: int) -> str:
    return f"READ s3://data/projects/{n % 100}/{n}/* to {ROLES}/{_user_name(n // 100)}"


def build_reason(n: int) -> Reason:
    """The reason of the grant of this number."""
    return Reason(f"{FILE}#project-{n % 100}", (profile_subject("D", _user_name(n // 100)),))


def build_inventory() -> Inventory:
    """Everybody whom the rules may name."""
    profiles = tuple(
        Profile("D", _user_name(n), f"{ROLES}/{_user_name(n)}") for n in range(PROFILES)
    )
    return Inventory(NOW, (Location("default", "s3://data/"),), profiles, frozenset(["D"]))


def _user_name(n: int) -> str:
    return f"user-{n:04}"


def write_policy_text(n: int, *, moved: bool = False) -> bytes:
    """A policy file; `moved` gives what it gives to other people."""
    first = n * RULES + moved
    rules = "".join(
        f"  - name: part-{part}\n"
        f"    to: {{profiles: {{domain: D, names: [{_user_name((first + part) % PROFILES)}]}}}}\n"
        f"    on: s3://{{data_bucket}}/team-{n}/part-{part}/*\n    allow: READ\n"
        for part in range(RULES)
    )
    return f"version: 1\nrules:\n{rules}".encode()


def measure_best(task: Callable[[], object]) -> float:
    """The seconds of CPU of the best round."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        task()
        times.append(time.process_time() - begun)
    return min(times)


def read_peak_memory(status: str = "") -> float:
    """The peak memory in MB of the process with this /proc/PID/status, by default of this one.

    getrusage would count its parent's, too, from before the exec.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", status or Path("/proc/self/status").read_text())
    if found is None:
        raise RuntimeError("/proc/self/status does not say how much memory was used")
    return int(found[1]) / 1024


if __name__ == "__main__":
    print(json.dumps([vars(figure) for figure in TASKS[sys.argv[1]]()]))
