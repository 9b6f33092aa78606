"""Grants that somebody else made become ours, as they are: nothing is made, nothing is taken away.

Each is written down as intended, then signed, then confirmed. Killed between any two of these, the next run finds by the tag
whether it is ours, and otherwise forgets the intent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import batched

from botocore.exceptions import ClientError

from grantor.aws.access_grants import AccessGrants
from grantor.aws.errors import NotYet, code, message
from grantor.aws.ledger import Ledger
from grantor.carry_out import TOGETHER
from grantor.core.entry import Entry, State
from grantor.core.plan import Change
from grantor.core.reason import in_order
from grantor.reconcile import Judged
from grantor.report import Report
from grantor.signature import signature


def foreign(found: Judged) -> tuple[Change, ...]:
    """Every grant that can be adopted, with the reasons for which a rule wants just that; first those that have some."""
    plan, gathered = found.plan, found.gathered
    wanted = [Change(grant, in_order(gathered.wanted.grants[grant]), gathered.actual[grant]) for grant in plan.served]
    return (*wanted, *(Change(grant, (), gathered.actual[grant]) for grant in plan.foreign))


def adopted(change: Change) -> str:
    """The sentence of an adoption.

    >>> from grantor.core.grant import Grant, Grantee, Permission
    >>> grant = Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*")
    >>> print(adopted(Change(grant, ())))
    ~ READ s3://data/Product/* to role/ana is ours now, because of no rule
    """
    return f"~ {change.grant} is ours now, because {' and '.join(map(str, change.reasons)) or 'of no rule'}"


@dataclass(frozen=True)
class Adoption:
    """Makes grants ours; `ledger` is that of a holder of the lease, `versions` are those of the policy files that are followed."""

    grants: AccessGrants
    ledger: Ledger
    versions: Mapping[str, str]
    report: Report

    def all(self, chosen: Iterable[Change]) -> None:
        """Each of them, unless it is another stack's; the report tells of each. Raises as the ledger does when it can't be written."""
        for together in batched(self._free(chosen), TOGETHER):
            self.ledger.intend([self._entry(change, State.INTENDED) for change in together])
            self.ledger.confirm([self._entry(change, State.LIVE, change.id) for change in together if self._signed(change)])

    def _free(self, chosen: Iterable[Change]) -> Iterator[Change]:
        for change in chosen:
            owner = self.grants.owner(change.id)
            if owner in (None, self.grants.stack):
                yield change
            else:
                self.report.refused.append(f"{change.grant}: it belongs to the Grantor of stack {owner}")

    def _signed(self, change: Change) -> bool:
        try:
            self.grants.tag(change.id, signature(change, self.report.run, self.versions))
        except NotYet as reason:
            self.report.later.append(f"{change.grant}: {reason}")
        except ClientError as error:
            self.report.refused.append(f"{change.grant}: {code(error)}: {message(error)}")
        else:
            self.report.done.append(adopted(change))
            return True
        return False

    def _entry(self, change: Change, state: State, grant_id: str = "") -> Entry:
        return Entry(change.grant, state, frozenset(change.reasons), grant_id, self.report.at, self.report.run)
