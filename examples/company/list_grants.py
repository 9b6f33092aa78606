"""List the grants that the company's policy files give, without AWS.

    PYTHONPATH=layers/grantor python -m examples.company.list_grants

Prints a line for each grant, with what it is because of, then errors and warnings. `grants.txt` is
what it prints; a test compares the two.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from grantor.core.grant import Location, sort_reasons
from grantor.core.planning.bounds import BOUNDS_FILE, Bounds, parse_bounds
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.lint import lint_rules
from grantor.core.planning.rendering import Home, describe_grant, describe_reasons
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory, Profile

COMPANY = Path(__file__).parent


def list_grants(folder: Path = COMPANY) -> Iterator[str]:
    """The lines. Raises ValueError with all mistakes if a file is wrong."""
    facts = yaml.safe_load((folder / "inventory.yaml").read_text())
    policies, bounds = read_policies(folder, facts), read_bounds(folder, facts)
    wanted = expand_rules(policies, build_inventory(facts), bounds=bounds)
    home = Home("aws", facts["account"])
    for grant, reasons in wanted.grants.items():
        yield f"{describe_grant(grant, home)}, because {describe_reasons(sort_reasons(reasons))}"
    yield from (f"error: {problem}" for problem in wanted.rejected)
    warnings = sorted([*wanted.warnings, *lint_rules(wanted, policies)])
    yield from (f"warning: {problem}" for problem in warnings)


def build_inventory(facts: dict[str, Any]) -> Inventory:
    """What Grantor would read in the account."""
    profiles = [
        Profile(
            domain,
            name,
            f"arn:aws:iam::{facts['account']}:role/studio/{domain}-{name}",
            tags=tuple(sorted(tags.items())),
        )
        for domain, people in facts["profiles"].items()
        for name, tags in people.items()
    ]
    return Inventory(
        datetime.fromisoformat(str(facts["now"])),
        (Location("default", f"s3://{facts['data_bucket']}"),),
        tuple(profiles),
        frozenset(facts["profiles"]),
        {base: tuple(names) for base, names in facts["folders"].items()},
        {("DIRECTORY_GROUP", name): one for name, one in facts["directory"].items()},
    )


def read_policies(folder: Path, facts: dict[str, Any]) -> list[Policy]:
    """The policy files. Raises ValueError with all mistakes if one is wrong."""
    found = [
        parse_policy(f"policy/{path.name}", path.read_bytes(), facts["data_bucket"])
        for path in sorted(folder.glob("policy/*.yaml"))
    ]
    _check_files(found)
    return [one for one in found if isinstance(one, Policy)]


def read_bounds(folder: Path, facts: dict[str, Any]) -> Bounds | None:
    """The bounds file. Raises ValueError with all mistakes if it is wrong."""
    body = (folder / BOUNDS_FILE).read_bytes()
    found = parse_bounds(BOUNDS_FILE, body, facts["account"], facts["data_bucket"])
    _check_files([found])
    return found if isinstance(found, Bounds) else None


def _check_files(found: Iterable[object]) -> None:
    problems = [str(one) for each in found if isinstance(each, tuple) for one in each]
    if problems:
        raise ValueError("\n".join(problems))


if __name__ == "__main__":
    print(*list_grants(), sep="\n")
