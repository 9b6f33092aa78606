"""grantor check: what is wrong with policy files, without AWS."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from grantor.cli.call import Call
from grantor.cli.sentences import count
from grantor.cli.trouble import Misused
from grantor.core.expansion.expand import expand
from grantor.core.expansion.lint import lint
from grantor.core.facts import Facts
from grantor.core.location import Location
from grantor.core.policy.file import read
from grantor.core.problem import Problem
from grantor.core.rule import Policy

ENDINGS = (".yaml", ".yml")
ANYWHERE = Location("anywhere", "s3://")  # where the locations are is a fact, and facts are not asked for here


def run(call: Call) -> int:
    """0 if nothing is wrong, whatever it warns of; 1 after saying what is."""
    found = [read(name, content) for name, content in _bodies(call.asked.paths, call.asked.name)]
    policies = [one for one in found if isinstance(one, Policy)]
    problems = [problem for one in found if not isinstance(one, Policy) for problem in one]
    warnings = _warnings(policies)
    call.show.lines(map(str, problems))
    call.show.lines(f"{one.file}:{one.line}:{one.column}: warning: {one.what}: {one.why}; {one.remedy}" for one in warnings)
    if not problems:
        rules, jobs = sum(len(policy.rules) for policy in policies), sum(len(policy.jobs) for policy in policies)
        said = f"{count(rules, 'rule')} and {count(jobs, 'job')}" if jobs else count(rules, "rule")
        call.show.line(f"{count(len(policies), 'policy file')} with {said}: nothing is wrong")
    told = {"problems": problems, "warnings": warnings}
    call.show.value({"files": len(found), **{kind: [asdict(one) for one in several] for kind, several in told.items()}})
    return 1 if problems else 0


def files(folder: Path) -> list[Path]:
    """The policy files of a folder and of the folders in it. Misused if there is none: nothing is not the same as empty."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    if not found:
        raise Misused(f"{folder}: there is no policy file in this folder; one ends with {' or '.join(ENDINGS)}")
    return found


def body(file: Path) -> bytes:
    """What is in the file. Misused if it can not be read."""
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise Misused(f"{file}: it can not be read: {wrong.strerror}") from wrong


def _bodies(paths: Iterable[str], name: str) -> Iterator[tuple[str, bytes]]:
    for given in paths:
        if given == "-":
            yield name, sys.stdin.buffer.read()
            continue
        path = Path(given)
        for file in files(path) if path.is_dir() else [path]:
            yield str(file), body(file)


def _warnings(policies: list[Policy]) -> list[Problem]:
    """As far as they follow from the files alone: rules for profiles and folders need to know which there are."""
    wanted = expand(policies, Facts(datetime.now(UTC), locations=(ANYWHERE,)))
    return sorted({*wanted.warnings, *lint(wanted, policies)})
