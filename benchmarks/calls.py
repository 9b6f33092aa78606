"""How many calls Grantor makes, counted in the sandbox, beside the fewest possible and Terraform's.

A list has a page for each 1,000 grants (botocore's model of ListAccessGrants), so N grants take at
least ceil(N/1000) calls, and k changes take k. Terraform reads each grant and then its tags: 2N
calls for a plan without changes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

from benchmarks.large_estates import GRANTS_PER_PROFILE, create_many_grants, create_profiles
from grantor.aws.services import Services
from grantor.reconcile.report import Report
from harness.figures import Figure, format_columns
from tests.grantor_setup import DOMAIN, LEDGER, GrantorSetup

SLACK_CALLS = 3  # beyond the pages and the changes of a sweep, or the changes of an event
MOST_PROFILES = 100  # with more profiles, applying a rule for everybody takes minutes
SERVICES = ("s3control", "dynamodb", "sagemaker", "s3")
RUN_HEAD = (
    "run",
    "grants",
    "changes",
    "fewest",
    "Grantor",
    "at most",
    "Terraform",
    "DynamoDB",
    "Studio",
    "S3",
)
LEDGER_HEAD = ("", "items", "pages", "items a page", "read by a sweep")
ONE_MORE_RULE = f"""\
version: 1
rules:
  - name: one-more
    to: {{profiles: {{domain: {DOMAIN}}}}}
    on: s3://{{data_bucket}}/one-more/*
    allow: READ
"""


@dataclass(frozen=True)
class RunCalls:
    """The calls of one run by service, with the fewest possible and the bound."""

    run: str
    grants: int
    changes: int
    fewest: int
    bound: int
    access: int
    ledger: int
    studio: int
    s3: int

    @property
    def figure(self) -> Figure:
        what = f"{self.run}, {self.grants:,} grants, {self.changes} changes"
        return Figure(f"Access Grants calls: {what}", self.access, "calls", self.bound)

    def row(self) -> tuple[object, ...]:
        calls = (self.fewest, self.access, self.bound, 2 * self.grants)
        return (self.run, self.grants, self.changes, *calls, self.ledger, self.studio, self.s3)


@dataclass(frozen=True)
class LedgerPages:
    """The size of a ledger: its items, their pages of a megabyte, the pages that a sweep reads."""

    grants: int
    items: int
    pages: int
    read: int

    @property
    def figure(self) -> Figure:
        return Figure(
            f"ledger pages read: sweep, {self.grants:,} grants", self.read, "calls", self.pages
        )

    def row(self) -> tuple[object, ...]:
        per_page = self.items // self.pages
        name = f"ledger of {self.grants:,} grants"
        return name, self.items, self.pages, per_page, self.read


@dataclass(frozen=True)
class CallTally:
    """The counts of one or several setups."""

    runs: tuple[RunCalls, ...]
    ledgers: tuple[LedgerPages, ...]

    def figures(self) -> list[Figure]:
        return [one.figure for one in self.runs] + [one.figure for one in self.ledgers]

    def __str__(self) -> str:
        runs = format_columns(RUN_HEAD, [one.row() for one in self.runs])
        ledgers = format_columns(LEDGER_HEAD, [one.row() for one in self.ledgers])
        return f"{runs}\n\n{ledgers}"


def merge_tallies(tallies: Iterable[CallTally]) -> CallTally:
    """The tallies of several setups as one, ordered by the kind of run."""
    listed = list(tallies)
    runs = [one for tally in listed for one in tally.runs]
    order = list(dict.fromkeys(one.run for one in runs))
    runs.sort(key=lambda one: order.index(one.run))
    ledgers = [one for tally in listed for one in tally.ledgers]
    return CallTally(tuple(runs), tuple(ledgers))


def count_calls(setup: GrantorSetup, profiles: int) -> CallTally:
    """Count the calls of each kind of run with so many profiles of a hundred grants each."""
    warm = create_many_grants(setup, profiles)
    counter = _CallCounter(setup, profiles * GRANTS_PER_PROFILE)
    counter.count_sweep("sweep, warm", warm)
    ledger = counter.count_ledger()
    counter.count_sweep("sweep, cold", setup.build_services())
    counter.count_event("profile's event", warm, "user-0000")
    if profiles <= MOST_PROFILES:
        setup.put_policy("one-more", ONE_MORE_RULE)
        counter.count_sweep("a rule more", warm, profiles)
        setup.delete_policy("one-more")
        counter.count_sweep("a rule fewer", warm, profiles)
    create_profiles(setup, [profiles])
    counter.count_event("new profile's event", warm, f"user-{profiles:04}", GRANTS_PER_PROFILE)
    return CallTally(tuple(counter.runs), (ledger,))


class _CallCounter:
    """Counts the calls of one run after another in one setup."""

    def __init__(self, setup: GrantorSetup, grants: int) -> None:
        self.setup, self.grants = setup, grants
        self.runs: list[RunCalls] = []

    def count_sweep(self, kind: str, services: Services, changes: int = 0) -> None:
        pages = ceil(self.grants / 1000)
        self._count_run(
            kind,
            lambda: self.setup.reconcile(services=services),
            changes,
            pages,
            pages + SLACK_CALLS,
        )

    def count_event(self, kind: str, services: Services, profile: str, changes: int = 0) -> None:
        trigger = self.setup.build_profile_trigger(profile)
        self._count_run(
            kind, lambda: self.setup.reconcile(trigger, services=services), changes, 1, SLACK_CALLS
        )

    def count_ledger(self) -> LedgerPages:
        """The pages that the last sweep read, beside a plain scan of the ledger."""
        read = self.setup.count_calls("dynamodb")["Scan"]
        paginator = self.setup.client("dynamodb").get_paginator("scan")
        pages = paginator.paginate(TableName=LEDGER, Select="COUNT")
        counts = [page["ScannedCount"] for page in pages]
        return LedgerPages(self.grants, sum(counts), len(counts), read)

    def _count_run(
        self, kind: str, run: Callable[[], Report], changes: int, pages: int, bound: int
    ) -> None:
        self.setup.reset_call_counts()
        report = run()
        if (len(report.done), report.is_finished) != (changes, True):
            raise RuntimeError(
                f"{kind}: expected {changes} changes: {report.to_document('grantor')}"
            )
        calls = [sum(self.setup.count_calls(service).values()) for service in SERVICES]
        least, most = pages + changes, bound + changes
        self.runs.append(RunCalls(kind, self.grants, changes, least, most, *calls))
        self.grants += report.created - report.deleted
