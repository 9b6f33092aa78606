"""Whose the rules are that a plan concerns: whom to ask, as policy files say by `owner` and
`description`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grantor.core.diagnostics import show_text
from grantor.core.grant import Reason
from grantor.core.planning.plan import Change
from grantor.core.rules import Policy

Said = tuple[str, str]  # owner and description


@dataclass(frozen=True)
class RuleOwner:
    """Whom to ask about some rules, and what these are for; one of the two may be empty."""

    owner: str
    description: str
    rules: tuple[str, ...]  # their ids, sorted

    def __str__(self) -> str:
        """Whom to ask about how many rules.

        >>> print(RuleOwner("data@example.com", "", ("policy/a.yaml#own", "policy/a.yaml#team")))
        data@example.com, of policy/a.yaml#own and 1 more
        >>> print(RuleOwner("", "for the audit", ("policy/a.yaml#own",)))
        of policy/a.yaml#own: for the audit
        """
        more = f" and {len(self.rules) - 1:,} more" if len(self.rules) > 1 else ""
        whom = f"{self.owner}, of " if self.owner else "of "
        what = f": {self.description}" if self.description else ""
        return show_text(f"{whom}{self.rules[0]}{more}{what}")

    def to_json(self) -> dict[str, Any]:
        """As a value of docs/json.md."""
        said = {"owner": self.owner or None, "description": self.description or None}
        return {**said, "rules": list(self.rules)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RuleOwner":
        """The value that to_json has written."""
        return cls(value["owner"] or "", value["description"] or "", tuple(value["rules"]))


def list_owners(changes: Iterable[Change], policies: Iterable[Policy]) -> tuple[RuleOwner, ...]:
    """Whose the rules are because of which grants change; a rule that is gone is its file's."""
    files = {policy.file: policy for policy in policies if policy.names_owner}
    said = {
        rule.id: (rule.owner, rule.description) for each in files.values() for rule in each.rules
    }
    found: dict[Said, set[str]] = defaultdict(set)
    for reason in {one for change in changes for one in (*change.reasons, *change.before)}:
        found[said.get(reason.rule) or _ask_file(reason, files)].add(reason.rule)
    listed = (RuleOwner(*one, tuple(sorted(rules))) for one, rules in found.items() if any(one))
    return tuple(sorted(listed, key=lambda one: (one.owner, one.description, one.rules)))


def _ask_file(reason: Reason, files: Mapping[str, Policy]) -> Said:
    file = files.get(reason.file)
    return (file.owner, file.description) if file else ("", "")
