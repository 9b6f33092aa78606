"""The faults that strike calls: what happens to the call, and what the caller sees of it.

kill            the process ends, before the call has its effect or right after it
throttle        all attempts of botocore are throttled
unreachable     no connection: no effect
lost answer     the call has its effect, and no answer comes
repeated        an answer was lost, botocore has sent the call again: the caller sees the second
refused         AccessDenied, as after a wrong change of a role
slow            the answer takes long, and everything else goes on
suspended       the whole process stops for a while, its renewals too
conflict        DynamoDB: another transaction is in the way
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from simulation.choices import Choices
from simulation.scheduler import ProcessKilled

if TYPE_CHECKING:
    from simulation.doubles.gate import Call, Gate

CarryOut = Callable[[], Any]
SLOW_SECONDS = (5.0, 20.0, 70.0)
SUSPENDED_SECONDS = (20.0, 65.0, 200.0)
THROTTLING_CODES = {"dynamodb": "ProvisionedThroughputExceededException", "s3": "SlowDown"}


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    strike: Callable[["Gate", "Call", CarryOut], Any]
    only: frozenset[str] = frozenset()  # services; all if empty


def _make_error(call: "Call", code: str, status: int) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "a fault of the simulation"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, call.operation)


def _kill_before(gate: "Gate", call: "Call", _: CarryOut) -> Any:
    gate.tell(call)
    gate.scheduler.kill(call.process)
    raise ProcessKilled


def _kill_after(gate: "Gate", call: "Call", carry_out: CarryOut) -> Any:
    try:
        carry_out()
    finally:
        gate.scheduler.kill(call.process)
        gate.scheduler.check_alive()


def _throttle(gate: "Gate", call: "Call", _: CarryOut) -> Any:
    gate.tell(call)
    raise _make_error(call, THROTTLING_CODES.get(call.service, "ThrottlingException"), 400)


def _refuse(gate: "Gate", call: "Call", _: CarryOut) -> Any:
    gate.tell(call)
    raise _make_error(call, "AccessDenied", 403)


def _lose_connection(gate: "Gate", call: "Call", _: CarryOut) -> Any:
    gate.tell(call)
    raise ConnectionClosedError(endpoint_url="https://aws")


def _lose_answer(_: "Gate", __: "Call", carry_out: CarryOut) -> Any:
    carry_out()
    raise ReadTimeoutError(endpoint_url="https://aws")


def _repeat(_: "Gate", __: "Call", carry_out: CarryOut) -> Any:
    carry_out()
    return carry_out()


def _answer_slowly(gate: "Gate", _: "Call", carry_out: CarryOut) -> Any:
    gate.scheduler.block(gate.choices.pick(SLOW_SECONDS))
    return carry_out()


def _suspend(gate: "Gate", call: "Call", carry_out: CarryOut) -> Any:
    seconds = gate.choices.pick(SUSPENDED_SECONDS)
    call.process.suspended_until = gate.scheduler.now + seconds
    gate.scheduler.call_at(call.process.suspended_until, lambda: None)
    gate.scheduler.block(seconds)
    return carry_out()


def _conflict(gate: "Gate", call: "Call", _: CarryOut) -> Any:
    gate.tell(call)
    if call.operation.startswith("Transact"):
        count = len(call.request["TransactItems"])
        reasons = [{"Code": "None"}] * (count - 1) + [{"Code": "TransactionConflict"}]
        error = _make_error(call, "TransactionCanceledException", 400)
        answer: Any = error.response
        answer["CancellationReasons"] = reasons
        raise error
    from simulation.doubles.gate import ServiceError

    code = "TransactionConflictException" if call.operation == "PutItem" else "ThrottlingException"
    raise ServiceError(code, 400, "a fault of the simulation").to_client_error(call.operation)


FAULTS = (
    Fault("kill before", _kill_before),
    Fault("kill after", _kill_after),
    Fault("throttle", _throttle),
    Fault("unreachable", _lose_connection),
    Fault("lost answer", _lose_answer),
    Fault("repeated", _repeat),
    Fault("refused", _refuse),
    Fault("slow", _answer_slowly),
    Fault("suspended", _suspend),
    Fault("conflict", _conflict, frozenset({"dynamodb"})),
)


_BY_NAME = {fault.name: fault for fault in FAULTS}
INPUT_SERVICES = ("s3", "sagemaker")
READS = ("Get", "List", "Describe", "Query", "Scan", "TransactGet")


@dataclass(frozen=True)
class Climate:
    """The faults that a world has: once in so many reads and writes; 0 is never."""

    kinds: tuple[Fault, ...] = FAULTS
    reads: int = 0
    writes: int = 0
    inputs: int = 0  # reads of policy files, folders and profiles

    @classmethod
    def of(cls, *names: str, reads: int = 0, writes: int = 0, inputs: int = 0) -> "Climate":
        """A climate of some kinds of faults."""
        return cls(tuple(_BY_NAME[name] for name in names), reads, writes, inputs)

    def count_calls(self, service: str, operation: str) -> int:
        """Once in how many such calls a fault strikes."""
        if not operation.startswith(READS):
            return self.writes
        return self.inputs or self.reads if service in INPUT_SERVICES else self.reads


CLIMATES = (
    Climate(),
    Climate(reads=60, writes=20),
    Climate(reads=20, writes=8),
    Climate.of("kill before", "kill after", writes=8),
    Climate.of("lost answer", "repeated", "kill after", writes=5),
    Climate.of("throttle", "unreachable", "refused", writes=6),
    Climate.of("throttle", "unreachable", "refused", reads=15),
    Climate.of("throttle", "unreachable", "refused", inputs=6),
    Climate.of("slow", "suspended", "conflict", reads=40, writes=10),
)


@dataclass
class FaultPlan:
    """Which faults a world has, and how often."""

    choices: Choices
    climate: Climate = CLIMATES[0]
    left: int = 0  # so many faults may still strike
    struck: dict[str, int] = field(default_factory=dict)

    def choose(self, service: str, operation: str) -> Fault | None:
        """The fault that strikes a call; None for nearly all."""
        if not self.left:
            return None
        if not self.choices.happens(self.climate.count_calls(service, operation)):
            return None
        fault = self.choices.pick(self.climate.kinds)
        if fault.only and service not in fault.only:
            return None
        self.left -= 1
        self.struck[fault.name] = self.struck.get(fault.name, 0) + 1
        return fault
