"""`grantor check`: report the mistakes in policy files on disk or standard input, without AWS."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from grantor.cli.output import format_count
from grantor.cli.session import Session, UsageError
from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.diagnostics import Problem
from grantor.core.expectations import PolicyTests
from grantor.core.grant import Location
from grantor.core.planning.bounds import ALL_FILES, BOUNDS_FILE, Bounds, parse_bounds
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.lint import lint_rules
from grantor.core.planning.scopes import locate_fault
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES, JobType, JobTypes
from grantor.core.policy.parse_job_types import (
    CONTRACT_FILE,
    JOB_FILE,
    derive_job_type,
    parse_job_type,
)
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.policy.text_forms import TEST_SUFFIXES
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory

# Of the bounds, these concern grants alone; check judges jobs by them.
ACCOUNT, DATA_BUCKET = "111122223333", "data-bucket"
POLICY_SUFFIXES = (".yaml", ".yml")
# Of a clone, whose layer is layers/grantor: it shows what a stack would ship
SOURCES = Path(__file__).parents[4] / "spark_jobs"
ANYWHERE = Location("anywhere", "s3://")  # the real locations are in AWS, which check does not ask


def run_check(session: Session) -> int:
    """Return 0 if no file has a mistake, whatever the warnings; 1 otherwise."""
    arguments, output = session.arguments, session.output
    job_types, mistakes = find_job_types()
    parsed: list[Policy | PolicyTests | tuple[Problem, ...]] = []
    bounds = None
    for name, content in read_files(arguments.paths, arguments.name):
        if name.endswith(BOUNDS_FILE):
            bounds = parse_bounds(name, content, ACCOUNT, DATA_BUCKET)
        elif name.endswith(TEST_SUFFIXES):
            parsed.append(parse_test_file(name, content))
        else:
            parsed.append(parse_policy(name, content, job_types=job_types))
    policies = [result for result in parsed if isinstance(result, Policy)]
    problems = [problem for result in parsed for problem in _list_problems(result)]
    problems += mistakes if any(policy.jobs for policy in policies) or problems else []
    ignored = [one for path in map(Path, arguments.paths) for one in find_ignored(path)]
    outside = find_large_jobs(policies, bounds if isinstance(bounds, Bounds) else None)
    problems += bounds if isinstance(bounds, tuple) else outside if bounds else ()
    warnings = sorted({*find_warnings(policies), *(() if bounds else outside), *ignored})
    output.print_lines(map(str, problems))
    output.print_lines(map(_format_warning, warnings))
    if not problems:
        output.print_line(_summarize_policies(policies))
    output.print_json(
        {
            "files": len(parsed) + (bounds is not None),
            "problems": [asdict(problem) for problem in problems],
            "warnings": [asdict(warning) for warning in warnings],
        }
    )
    return 1 if problems else 0


def _list_problems(result: Policy | PolicyTests | tuple[Problem, ...]) -> tuple[Problem, ...]:
    """What is wrong with a file, or with a policy because its own tests fail."""
    if isinstance(result, Policy):
        return find_test_problems(result)
    return result if isinstance(result, tuple) else ()


def find_job_types(sources: Path = SOURCES) -> tuple[JobTypes, list[Problem]]:
    """Find the job types that policy files can run, and what is wrong with a job.yaml.

    In a clone they are those of its spark_jobs/; else those that ship with this version. One that
    is wrong is left out. Raises UsageError if a file cannot be read.
    """
    folders = {
        path.parent for file in (JOB_FILE, CONTRACT_FILE) for path in sources.glob(f"*/{file}")
    }
    if not folders:
        return SHIPPED_JOB_TYPES, []
    types: dict[str, JobType] = {}
    problems: list[Problem] = []
    for folder in sorted(folders):
        found = _read_job_type(folder)
        if isinstance(found, JobType):
            types[found.name] = found
        else:
            problems += found
    return types, problems


def _read_job_type(folder: Path) -> JobType | tuple[Problem, ...]:
    path = folder / JOB_FILE
    if path.exists():
        return parse_job_type(folder.name, str(path), read_policy_file(path))
    return derive_job_type(folder.name, read_policy_file(folder / CONTRACT_FILE))


def find_warnings(policies: list[Policy]) -> list[Problem]:
    """Find the warnings that follow from the files alone.

    What a rule for profiles or folders grants depends on AWS, so plan warns of it and check cannot.
    """
    wanted = expand_rules(policies, Inventory(datetime.now(UTC), locations=(ANYWHERE,)))
    return sorted({*wanted.warnings, *lint_rules(wanted, policies)})


def find_large_jobs(policies: Iterable[Policy], bounds: Bounds | None) -> list[Problem]:
    """Find what of the jobs is outside of the bounds; None stands for those without a bounds file.

    Which bounds hold is in the policy bucket. If the bounds file is not among the files to check,
    what is outside of the default bounds is worth a warning.
    """
    known = bounds or Bounds.build_default(ACCOUNT, DATA_BUCKET)
    return sorted(
        locate_fault(job, fault)
        for policy in policies
        for job in policy.jobs
        for fault in known.find_job_faults(replace(job, file=_find_key(job.file)))
    )


def _find_key(path: str) -> str:
    """The key that a file on disk will have, if its folder tells.

    >>> _find_key("/home/ana/repository/policy/teams/a.yaml"), _find_key("a.yaml")
    ('policy/teams/a.yaml', 'a.yaml')
    """
    _, folder, below = path.rpartition(ALL_FILES)
    return folder + below


def find_policy_root(folder: Path) -> Path:
    """The folder of the policy files: of a checkout its folder policy/, else the folder itself."""
    inner = folder / ALL_FILES
    return inner if inner.is_dir() else folder


def find_policy_files(folder: Path) -> list[Path]:
    """Find the policy files in a folder and below.

    Raises UsageError if there are none: nothing to check is a mistake.
    """
    found = [path for path in _find_yaml_files(folder) if not path.name.endswith(TEST_SUFFIXES)]
    if not found:
        raise UsageError(
            f"{folder}: this folder contains no policy files ({' or '.join(POLICY_SUFFIXES)})"
        )
    return found


def _find_yaml_files(folder: Path) -> list[Path]:
    """The policy files and the test files in a folder and below."""
    paths = folder.rglob("*")
    return sorted(path for path in paths if path.suffix in POLICY_SUFFIXES and path.is_file())


def find_ignored(folder: Path) -> tuple[Problem, ...]:
    """The files in a folder and below whose suffix is nearly that of a policy file."""
    others = (path for path in folder.rglob("*") if path.suffix not in POLICY_SUFFIXES)
    near = [path for path in others if path.suffix.lower() in POLICY_SUFFIXES and path.is_file()]
    why = f"the suffix of a policy file is {' or '.join(POLICY_SUFFIXES)}, in small letters"
    return tuple(
        Problem(str(path), 1, 1, "nobody reads this file", why, "rename it") for path in near
    )


def read_policy_file(path: Path) -> bytes:
    """Read a file. Raises UsageError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def parse_folder(folder: str | None, bucket: str) -> list[Policy]:
    """The valid policy files of a folder, with the bucket as {data_bucket}; none without a folder.

    Raises UsageError if the folder has no policy files.
    """
    files = find_policy_files(Path(folder)) if folder else []
    parsed = [parse_policy(str(path), read_policy_file(path), bucket) for path in files]
    return [one for one in parsed if isinstance(one, Policy)]


def read_files(paths: Iterable[str], stdin_name: str) -> Iterator[tuple[str, bytes]]:
    """Read the policy files and test files that are given, or that lie in given folders.

    Raises UsageError if one cannot be read, or if a folder has none.
    """
    for given in paths:
        if given == "-":
            yield stdin_name, sys.stdin.buffer.read()
            continue
        path = Path(given)
        inside = _find_yaml_files(path) if path.is_dir() else [path]
        for file in inside or find_policy_files(path):
            yield str(file), read_policy_file(file)


def _format_warning(warning: Problem) -> str:
    place = f"{warning.file}:{warning.line}:{warning.column}"
    return f"{place}: warning: {warning.sentence}"


def _summarize_policies(policies: list[Policy]) -> str:
    rules = format_count(sum(policy.count_rules() for policy in policies), "rule")
    jobs = sum(len(policy.jobs) for policy in policies)
    content = f"{rules} and {format_count(jobs, 'job')}" if jobs else rules
    return f"{format_count(len(policies), 'policy file')} with {content}: no mistakes"
