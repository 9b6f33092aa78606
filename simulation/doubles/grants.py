"""S3 Access Grants: the sandbox's own rules, with lists that lag and pages of any length.

So this double and the sandbox cannot drift apart. What a list does not show yet is drawn for each
list, and never older than Grantor's INTENT_GRACE says that lists lag.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sandbox.access_grants import GRANTS_OPERATIONS, AccessGrants, AccessGrantsError, Caller
from sandbox.access_grants import Role as LocationRole
from sandbox.access_grants.state import Grant
from sandbox.switches import GrantSwitches
from simulation.choices import Choices
from simulation.doubles.gate import Request, ServiceClient, ServiceError, to_operation
from simulation.scheduler import Scheduler

STALE_SECONDS = (0, 5, 120, 500)


class GrantsClient(ServiceClient):
    """A client of S3 Control."""

    service = "s3control"
    meta = SimpleNamespace(partition="aws")


@dataclass
class GrantsAccount:
    """The account, as the rules of Access Grants ask about it: everything is allowed."""

    known: Callable[[str], str | None]  # the unique id of a principal that S3 knows
    has_bucket: Callable[[str], bool]
    directory: set[tuple[str, str]] = field(default_factory=set)

    def is_allowed(self, *_: object) -> bool:
        return True

    def find_principal_id(self, principal: str) -> str | None:
        return self.known(principal)

    def find_role(self, arn: str) -> LocationRole | None:
        return LocationRole(arn, 43_200)

    def is_trusted_by(self, *_: object) -> bool:
        return True

    def has_grantee(self, kind: str, identifier: str) -> bool:
        return (kind, identifier) in self.directory

    def has_identity_center(self, _: str) -> bool:
        return True

    def find_identity_store(self) -> str:
        return "arn:aws:identitystore:::identitystore/d-1"

    def start_vended_session(self, *_: object, **__: object) -> dict[str, str]:
        return {}


class GrantsBackend:
    """The instance of one account."""

    def __init__(
        self,
        scheduler: Scheduler,
        choices: Choices,
        account: str,
        region: str,
        environment: GrantsAccount,
    ) -> None:
        self._choices = choices
        self._caller = Caller(f"arn:aws:iam::{account}:root", account)
        self.stale_one_in, self.stale_next = 0, False
        account_view: Any = environment  # takes more than the rules pass
        no_model: Any = None  # the contract test checks requests by the published model
        self.service = AccessGrants(
            account,
            region,
            account_view,
            lambda: datetime.fromtimestamp(scheduler.now, UTC),
            no_model,
            GrantSwitches(),
        )

    def __getattr__(self, method: str) -> Callable[[Request], Any]:
        operation = to_operation(method)
        if operation not in GRANTS_OPERATIONS:
            raise AttributeError(method)
        return lambda request: self.call(operation, request)

    def set_pages(self, items: int) -> None:
        """Let pages of lists be so long."""
        self.service.switches = replace(self.service.switches, longest_page=items)

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        """Carry out an operation. Raises ServiceError as the service refuses."""
        switches = self.service.switches
        if operation == "ListAccessGrants":
            self.service.switches = replace(switches, stale_seconds=self._draw_lag())
        try:
            answer = GRANTS_OPERATIONS[operation](self.service, dict(request), self._caller)
        except AccessGrantsError as error:
            raise ServiceError(error.code, error.status, error.message) from error
        finally:
            self.service.switches = switches
        return answer

    def _draw_lag(self) -> int:
        """How many seconds a list is behind."""
        if self.stale_next:
            self.stale_next = False
            return STALE_SECONDS[-1]
        return self._choices.pick(STALE_SECONDS) if self._choices.happens(self.stale_one_in) else 0

    @property
    def existing(self) -> Mapping[str, Grant]:
        """The grants that exist now, by id."""
        return self.service.instance.grants if self.service.instance else {}

    @property
    def location_ids(self) -> Iterable[str]:
        """The ids of the locations."""
        return self.service.instance.locations if self.service.instance else ()

    def read_tags(self, grant_id: str) -> Mapping[str, str]:
        """The tags of a grant; none if it does not exist."""
        instance = self.service.instance
        arn = f"{self.service.arn}/grant/{grant_id}"
        return instance.tags.get(arn, {}) if instance else {}
