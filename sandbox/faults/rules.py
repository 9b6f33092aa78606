"""Rules that say which calls are struck, and how."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from sandbox import published

KINDS = {
    "throttle": "the service's own throttling error, nothing is done",
    "error": "a 500 of the service, nothing is done",
    "refuse": "the error of `code`, `status` and `message`, nothing is done",
    "conditional": "a condition of DynamoDB is not met, nothing is done",
    "invalid-grantee": "CreateAccessGrant does not know the grantee yet, nothing is done",
    "lost": "the call is done, then a 500 is answered",
    "cut": "the call is done, half of the answer is sent, then the connection closes",
    "unprocessed": "of a batch of DynamoDB the first half is done, the rest comes back",
    "stall": "the call is done and never answered; the connection stays open until the rule is forgotten",
}
# Kinds that only some operations know: the service, and its operations.
PARTICULAR = {
    "conditional": ("dynamodb", ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")),
    "unprocessed": ("dynamodb", ("BatchWriteItem", "BatchGetItem")),
    "invalid-grantee": ("s3control", ("CreateAccessGrant",)),
}


class Misfit(ValueError):
    """What is wrong with a rule, and what to write instead."""


@dataclass
class Rule:
    """Calls of `operation` of `service` by `principal` (`*` and `?` match any text): the first `after` pass, the next `times` are struck.

    `times` None means until it is forgotten. `seen` counts the calls that fit, `struck` those that the fault has happened to.
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
    def read(cls, wanted: Mapping[str, Any]) -> "Rule":
        """The rule that was asked for, checked; Misfit says what is wrong with it."""
        known = [name.name for name in fields(cls) if not name.kw_only]
        for name in wanted:
            _among(name, known, "a rule", "part")
        for name in ("service", "operation", "kind"):
            if not wanted.get(name):
                raise Misfit(f"a rule without {name} strikes nothing: {dict(wanted)}")
        rule = cls(**wanted)
        rule._check()
        return rule

    def meets(self, service: str, operation: str, principal: str) -> bool:
        """Whether a call is one of those that the rule is about."""
        return (
            fnmatchcase(service, self.service)
            and fnmatchcase(operation, self.operation)
            and fnmatchcase(principal, self.principal)
            and (self.kind not in PARTICULAR or operation in PARTICULAR[self.kind][1])
        )

    def takes(self) -> bool:
        """Count one more call that fits; whether it is to be struck."""
        self.seen += 1
        return self.seen > self.after and (self.times is None or self.seen <= self.after + self.times)

    def _check(self) -> None:
        _among(self.kind, KINDS, "a fault", "kind")
        _known(self.service, self.operation)
        if type(self.after) is not int or self.after < 0:
            raise Misfit(f"`after` is how many calls pass first, 0 or more, not {self.after!r}")
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise Misfit(f"`times` is how many calls are struck, 1 or more or null, not {self.times!r}")
        told = (bool(self.code), 400 <= self.status < 600, bool(self.message))
        if all(told) != (self.kind == "refuse") or any(told) != all(told):
            raise Misfit("`refuse` needs a code, a status from 400 to 599 and a message; no other kind takes them")
        service, operations = PARTICULAR.get(self.kind, (self.service, (self.operation,)))
        if service != self.service or not any(fnmatchcase(each, self.operation) for each in operations):
            raise Misfit(f"{self.kind} is for {service}/{', '.join(operations)} only, not for {self.service}/{self.operation}")


class Rules:
    """All rules in force. Each counts every call that fits it; of those that are due the oldest strikes."""

    def __init__(self) -> None:
        self._rules: dict[int, Rule] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def add(self, wanted: Iterable[Mapping[str, Any]]) -> None:
        """Put these rules in force; Misfit, and none of them is, if one is wrong."""
        for rule in [Rule.read(each) for each in wanted]:
            self._last += 1
            rule.number = self._last
            self._rules[rule.number] = rule

    def due(self, service: str, operation: str, principal: str) -> Rule | None:
        """The rule that strikes this call, if any."""
        taken = [rule for rule in self._rules.values() if rule.meets(service, operation, principal) and rule.takes()]
        return taken[0] if taken else None

    def forget(self, number: int | None = None) -> list[Rule]:
        """Take a rule out of force, or all of them; those that were in it."""
        gone = [rule for rule in self._rules.values() if number in (None, rule.number)]
        for rule in gone:
            del self._rules[rule.number]
        return gone


def _known(service: str, operation: str) -> None:
    """Misfit for a name that botocore does not have; a pattern may stand for any."""
    if not any(letter in service for letter in "*?["):
        _among(service, published.names(), "botocore", "service")
        if not any(letter in operation for letter in "*?["):
            _among(operation, published.service(service).operations, service, "operation")


def _among(name: str, known: Iterable[str], owner: str, what: str) -> None:
    listed = list(known)
    if name not in listed:
        raise Misfit(f"{owner} has no {what} {name!r}; did you mean {get_close_matches(name, listed, 1, 0)[0]}?")
