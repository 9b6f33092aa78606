"""A world step by step, as a person reads it: when, who, what, and where a promise broke."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulation.doubles.gate import Call
from simulation.estate import ACCOUNT, START
from simulation.mirror import parse_entry
from simulation.world import World, WorldResult


@dataclass(frozen=True)
class Step:
    """One thing that happened; `broken` are promises that it broke."""

    at: float
    who: str
    what: str
    fault: str = ""
    grants: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def time(self) -> str:
        """The time of day, and how many days have passed."""
        now = datetime.fromtimestamp(self.at, UTC)
        days = (now.date() - datetime.fromtimestamp(START, UTC).date()).days
        return f"{f'+{days}d ' if days else ''}{now:%H:%M:%S}"

    def __str__(self) -> str:
        fault = f"  !{self.fault}" if self.fault else ""
        lines = [f"{self.time}  {self.who:<16} {self.what}{fault}"]
        lines += [f"          BROKEN {one}" for one in self.broken]
        return "\n".join(lines)


@dataclass
class Journal:
    """Writes down what happens in one world."""

    world: World
    steps: list[Step] = field(default_factory=list)
    _broken: int = 0

    def __post_init__(self) -> None:
        """Watch the world from its beginning."""
        self.world.cloud.gate.watchers.append(self._note_call)
        self.world.cloud.notes = self._note

    def run(self) -> WorldResult:
        """Run the world, and write down its end."""
        result = self.world.run()
        self._note(f"at rest after {result.rounds} runs over everything")
        return result

    def _note(self, text: str) -> None:
        self._add(Step(self.world.scheduler.now, "", text))

    def _note_call(self, call: Call) -> None:
        about = describe_request(call.request).replace(f"arn:aws:iam::{ACCOUNT}:", "")
        what = f"{call.operation} {about}".rstrip()
        what += f" -> {call.refusal}" if call.refusal else ""
        if call.answer is None and not call.refusal:
            what += " (no effect)"
        self._add(Step(call.at, call.process.name, what, call.fault))

    def _add(self, step: Step) -> None:
        promises = self.world.promises
        new = tuple(str(one) for one in promises.broken[self._broken :])
        self._broken = len(promises.broken)
        grants = tuple(
            sorted(f"{one.key}{'' if one.is_ours else ' (not ours)'}" for one in promises.grants)
        )
        self.steps.append(Step(step.at, step.who, step.what, step.fault, grants, new))


def describe_request(request: Mapping[str, Any]) -> str:
    """What a call is about, in a few words."""
    if "TransactItems" in request:
        return "; ".join(_describe_actions(request["TransactItems"]))
    if "Grantee" in request:
        where = (request.get("AccessGrantsLocationConfiguration") or {}).get("S3SubPrefix", "")
        who = request["Grantee"]["GranteeIdentifier"].rpartition("/")[2]
        return f"{request['Permission']} {where} to {who}"
    if "Item" in request:
        return _describe_item(request["Item"])
    names = ("AccessGrantId", "ResourceArn", "GranteeIdentifier", "UserProfileName", "Subject")
    found = [str(request[name]) for name in names if name in request]
    if "Bucket" in request:
        place = request.get("Key") or request.get("Prefix", "")
        found.append(f"{request['Bucket']}/{place}")
    if "Key" in request and isinstance(request["Key"], Mapping):
        found.append(" ".join(one["S"] for one in request["Key"].values()))
    values = request.get("ExpressionAttributeValues", {}).values()
    found += [one["S"] for one in values if "S" in one]
    return " ".join(found)


def _describe_actions(actions: list[Mapping[str, Any]]) -> Iterator[str]:
    for action in actions:
        for kind, what in action.items():
            if kind == "Put":
                yield _describe_item(what["Item"])
            elif kind in ("Delete", "Get"):
                key = " ".join(one["S"] for one in what["Key"].values())
                yield f"{kind.lower()} {key}"


def _describe_item(item: Mapping[str, Any]) -> str:
    if entry := parse_entry(item):
        why = ",".join(sorted({one.rule for one in entry.reasons}))
        return f"{entry.state} {entry.key} ({why})"
    if item["pk"]["S"] == "lease":
        pending = ",".join(item["pending"]["M"]) or "nothing"
        current = ",".join(item["current"]["M"]) or "nothing"
        holder = item["holder"]["S"] or "nobody"
        return f"lease of {holder}: works on {current}, {pending} waits"
    if item["pk"]["S"] == "policy":
        return f"accept {item['sk']['S']} {item['version']['S']}"
    return f"{item['pk']['S']} {item['sk']['S']}"[:80]
