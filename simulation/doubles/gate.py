"""The gate that every call to AWS passes: other tasks go on, a fault may strike, the call has its
effect, and whoever watches the world learns it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from simulation.choices import Choices
from simulation.faults import FaultPlan
from simulation.scheduler import Process, Scheduler

Request = Mapping[str, Any]


@dataclass
class Call:
    """One call; `answer` is None until it has had its effect."""

    number: int
    process: Process
    service: str
    operation: str
    request: Request
    at: float
    answer: Any = None
    refusal: str = ""  # the code of the service's error
    fault: str = ""

    @property
    def name(self) -> str:
        return f"{self.service} {self.operation}"


Watcher = Callable[[Call], None]


class ServiceError(Exception):
    """A service refuses a call: code, HTTP status, message and what else the answer holds."""

    def __init__(self, code: str, status: int, message: str, **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.status, self.message, self.more = code, status, message, more

    def to_client_error(self, operation: str) -> ClientError:
        """As botocore raises it."""
        answer: Any = {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {"HTTPStatusCode": self.status},
            **self.more,
        }
        kind = CODED_ERRORS.get(self.code, ClientError)
        return kind(answer, operation)


class ConditionalCheckFailed(ClientError):
    """DynamoDB's exception of this name in the client."""


class TransactionConflict(ClientError):
    """Likewise."""


CODED_ERRORS: dict[str, type[ClientError]] = {
    "ConditionalCheckFailedException": ConditionalCheckFailed,
    "TransactionConflictException": TransactionConflict,
}


@dataclass
class Gate:
    """Where all calls of one world pass."""

    scheduler: Scheduler
    choices: Choices
    faults: FaultPlan
    watchers: list[Watcher] = field(default_factory=list)
    count: int = 0

    def call(
        self,
        process: Process,
        service: str,
        operation: str,
        request: Request,
        effect: Callable[[], Any],
    ) -> Any:
        """Let the call happen. Raises what botocore would raise."""
        self.scheduler.give_way()
        self.count += 1
        call = Call(self.count, process, service, operation, request, self.scheduler.now)
        fault = self.faults.choose(call.service, call.operation)
        if fault is None:
            return self._carry_out(call, effect)
        call.fault = fault.name
        return fault.strike(self, call, lambda: self._carry_out(call, effect))

    def _carry_out(self, call: Call, effect: Callable[[], Any]) -> Any:
        self.scheduler.check_alive()
        try:
            call.answer = effect()
        except ServiceError as error:
            call.refusal = error.code
            self.tell(call)
            raise error.to_client_error(call.operation) from error
        self.tell(call)
        return call.answer

    def tell(self, call: Call) -> None:
        """Tell the watchers of a call that has had its effect, or none."""
        for watcher in self.watchers:
            watcher(call)


def to_operation(method: str) -> str:
    """The name of an operation by the method of botocore's client.

    >>> to_operation("list_objects_v2"), to_operation("get_item")
    ('ListObjectsV2', 'GetItem')
    """
    return "".join(word[:1].upper() + word[1:] for word in method.split("_"))


class ServiceClient:
    """A client of one service for one process: a method for each operation that the service has."""

    service = ""
    meta: Any = None

    def __init__(self, gate: Gate, process: Process, backend: Any) -> None:
        self._gate, self._process, self._backend = gate, process, backend

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        effect = getattr(self._backend, method)
        operation = to_operation(method)

        def call(**request: Any) -> Any:
            return self._gate.call(
                self._process, self.service, operation, request, lambda: effect(request)
            )

        self.__dict__[method] = call
        return call

    def get_paginator(self, method: str) -> "Paginator":
        """A paginator of an operation whose pages name the next one."""
        return Paginator(getattr(self, method), *self._backend.paginators[method])


@dataclass(frozen=True)
class Paginator:
    """Pages of an operation: `given` is the request's member, `next` the answer's."""

    call: Callable[..., Any]
    given: str
    next: str

    def paginate(self, **request: Any) -> Any:
        """Iterate over the pages; each is a call, made as it is read. The world says how long they
        are.
        """
        request.pop("PaginationConfig", None)
        while True:
            page = self.call(**request)
            yield page
            if not (token := page.get(self.next)):
                return
            request[self.given] = token
