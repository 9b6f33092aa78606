"""Rules that say which calls are struck by a fault, and by which."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from sandbox import aws_models

FAULT_KINDS = {
    "throttle": "the service's own throttling error, nothing is done",
    "error": "a 500 of the service, nothing is done",
    "refuse": "the error of `code`, `status` and `message`, nothing is done",
    "conditional": "a condition of DynamoDB is not met, nothing is done",
    "invalid-grantee": "CreateAccessGrant does not know the grantee yet, nothing is done",
    "lost": "the call is done, then a 500 is answered",
    "cut": "the call is done, half of the answer is sent, then the connection closes",
    "unprocessed": "of a batch of DynamoDB the first half is done, the rest comes back",
    "stall": "the call is done and never answered; the connection stays open until the rule is forgotten",  # noqa: E501  -- one text
}
# Kinds that only some operations know: the service, and its operations.
PARTICULAR_KINDS = {
    "conditional": ("dynamodb", ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")),
    "unprocessed": ("dynamodb", ("BatchWriteItem", "BatchGetItem")),
    "invalid-grantee": ("s3control", ("CreateAccessGrant",)),
}


class InvalidRule(ValueError):
    """What is wrong with a rule, and what to write instead."""


@dataclass
class FaultRule:
    """A rule for calls of `operation` of `service` by `principal`; `*` and `?` match any text.

    The first `after` matching calls pass, the next `times` are struck. `times` None means until
    the rule is forgotten. `seen` counts the matching calls, `struck` those that the fault has
    happened to.
    """

    service: str
    operation: str
    kind: str
    principal: str = "*"
    after: int = 0
    times: int | None = None
    code: str = ""
    status: int = 0
    message: str = ""
    number: int = field(default=0, kw_only=True)
    seen: int = field(default=0, kw_only=True)
    struck: int = field(default=0, kw_only=True)

    @classmethod
    def from_request(cls, wanted: Mapping[str, Any]) -> "FaultRule":
        """Return the requested rule. Raises InvalidRule, with what is wrong, if it is not valid."""
        known = [name.name for name in fields(cls) if not name.kw_only]
        for name in wanted:
            _check_among(name, known, "a rule", "part")
        for name in ("service", "operation", "kind"):
            if not wanted.get(name):
                raise InvalidRule(f"a rule without {name} strikes nothing: {dict(wanted)}")
        rule = cls(**wanted)
        rule._check_parts()
        return rule

    def matches_call(self, service: str, operation: str, principal: str) -> bool:
        """Return whether the rule applies to a call."""
        return (
            fnmatchcase(service, self.service)
            and fnmatchcase(operation, self.operation)
            and fnmatchcase(principal, self.principal)
            and (self.kind not in PARTICULAR_KINDS or operation in PARTICULAR_KINDS[self.kind][1])
        )

    def count_call(self) -> bool:
        """Count one more matching call. Return whether it must be struck."""
        self.seen += 1
        return self.seen > self.after and (
            self.times is None or self.seen <= self.after + self.times
        )

    def _check_parts(self) -> None:
        _check_among(self.kind, FAULT_KINDS, "a fault", "kind")
        _check_operation(self.service, self.operation)
        if type(self.after) is not int or self.after < 0:
            raise InvalidRule(
                f"`after` is how many calls pass first, 0 or more, not {self.after!r}"
            )
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise InvalidRule(
                f"`times` is how many calls are struck, 1 or more or null, not {self.times!r}"
            )
        given = (bool(self.code), 400 <= self.status < 600, bool(self.message))
        if all(given) != (self.kind == "refuse") or any(given) != all(given):
            raise InvalidRule(
                "`refuse` needs a code, a status from 400 to 599 and a message; no other kind "
                "takes them"
            )
        service, operations = PARTICULAR_KINDS.get(self.kind, (self.service, (self.operation,)))
        if service != self.service or not any(
            fnmatchcase(each, self.operation) for each in operations
        ):
            raise InvalidRule(
                f"{self.kind} is for {service}/{', '.join(operations)} only, not for "
                f"{self.service}/{self.operation}"
            )


class FaultRules:
    """All rules in force.

    Each counts every call that it matches. Of several that are due, the oldest strikes.
    """

    def __init__(self) -> None:
        self._rules: dict[int, FaultRule] = {}
        self._last = 0

    def __iter__(self) -> Iterator[FaultRule]:
        return iter(self._rules.values())

    def add(self, wanted: Iterable[Mapping[str, Any]]) -> None:
        """Put these rules in force.

        Raises InvalidRule if one is not valid; then none of them is in force.
        """
        for rule in [FaultRule.from_request(each) for each in wanted]:
            self._last += 1
            rule.number = self._last
            self._rules[rule.number] = rule

    def find_due(self, service: str, operation: str, principal: str) -> FaultRule | None:
        """Return the rule that strikes this call, if any."""
        taken = [
            rule
            for rule in self._rules.values()
            if rule.matches_call(service, operation, principal) and rule.count_call()
        ]
        return taken[0] if taken else None

    def remove(self, number: int | None = None) -> list[FaultRule]:
        """Remove one rule, or all of them. Return the removed rules."""
        gone = [rule for rule in self._rules.values() if number in (None, rule.number)]
        for rule in gone:
            del self._rules[rule.number]
        return gone


def _check_operation(service: str, operation: str) -> None:
    """Raise InvalidRule for a name that botocore does not have. A pattern may match anything."""
    if not any(letter in service for letter in "*?["):
        _check_among(service, aws_models.list_services(), "botocore", "service")
        if not any(letter in operation for letter in "*?["):
            _check_among(
                operation, aws_models.read_service(service).operations, service, "operation"
            )


def _check_among(name: str, known: Iterable[str], owner: str, what: str) -> None:
    listed = list(known)
    if name not in listed:
        raise InvalidRule(
            f"{owner} has no {what} {name!r}; did you mean "
            f"{get_close_matches(name, listed, 1, 0)[0]}?"
        )
