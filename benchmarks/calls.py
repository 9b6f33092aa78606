"""How many calls Grantor makes, counted at the sandbox, beside the fewest that could do and what Terraform needs.

A list has a page for each 1,000 grants (botocore's model of ListAccessGrants), so nobody reads N grants in fewer than ceil(N/1000)
calls, and k changes take k. Terraform reads each grant and then its tags: 2N calls for a plan without changes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

from benchmarks.estates import HELD, grow, people
from benchmarks.figures import Figure, columns
from grantor.aws.services import World
from grantor.reconcile.report import Report
from tests.estate import DOMAIN, LEDGER, Estate

SLACK = 3  # calls beyond the pages of a sweep and the changes, or beyond the changes of an event
MANY = 100  # profiles; with more of them a rule for everybody takes minutes to carry out
ONE_MORE = f"""\
version: 1
rules:
  - name: one-more
    to: {{profiles: {{domain: {DOMAIN}}}}}
    on: s3://{{data_bucket}}/one-more/*
    allow: READ
"""


@dataclass(frozen=True)
class Counted:
    """The calls of one run: what it was, over how many grants, with how many changes, the fewest that could do, and by service."""

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
class Pages:
    """The ledger of an estate: its items, the pages of a megabyte that they fill, and how many of these a sweep reads."""

    grants: int
    items: int
    pages: int
    read: int

    @property
    def figure(self) -> Figure:
        return Figure(f"ledger pages read: sweep, {self.grants:,} grants", self.read, "calls", self.pages)

    def row(self) -> tuple[object, ...]:
        return f"ledger of {self.grants:,} grants", self.items, self.pages, self.items // self.pages, self.read


@dataclass(frozen=True)
class Tally:
    """What was counted in one estate or in several."""

    runs: tuple[Counted, ...]
    ledgers: tuple[Pages, ...]

    def figures(self) -> list[Figure]:
        return [one.figure for one in (*self.runs, *self.ledgers)]

    def __str__(self) -> str:
        calls = ("run", "grants", "changes", "fewest", "Grantor", "at most", "Terraform", "DynamoDB", "Studio", "S3")
        pages = ("", "items", "pages", "items a page", "read by a sweep")
        rows = [one.row() for one in self.runs], [one.row() for one in self.ledgers]
        return f"{columns(calls, rows[0])}\n\n{columns(pages, rows[1])}"


def together(tallies: Iterable[Tally]) -> Tally:
    """The tallies of several estates as one, a kind of run after the other."""
    listed = list(tallies)
    runs = [one for tally in listed for one in tally.runs]
    order = list(dict.fromkeys(one.run for one in runs))
    return Tally(
        tuple(sorted(runs, key=lambda one: order.index(one.run))), tuple(one for tally in listed for one in tally.ledgers)
    )


def count(estate: Estate, profiles: int) -> Tally:
    """What each kind of run costs in an estate of so many profiles, each of which holds a hundred grants."""
    warm = grow(estate, profiles)
    counting = _Counting(estate, profiles * HELD)
    counting.sweep("sweep, warm", warm)
    ledger = counting.ledger()
    counting.sweep("sweep, cold", estate.world())
    counting.event("profile's event", warm, "user-0000")
    if profiles <= MANY:
        estate.policy("one-more", ONE_MORE)
        counting.sweep("a rule more", warm, profiles)
        estate.no_policy("one-more")
        counting.sweep("a rule fewer", warm, profiles)
    people(estate, [profiles])
    counting.event("new profile's event", warm, f"user-{profiles:04}", HELD)
    return Tally(tuple(counting.runs), (ledger,))


class _Counting:
    """Counts run after run in one estate."""

    def __init__(self, estate: Estate, grants: int) -> None:
        self.estate, self.grants = estate, grants
        self.runs: list[Counted] = []

    def sweep(self, kind: str, world: World, changes: int = 0) -> None:
        pages = ceil(self.grants / 1000)
        self._count(kind, lambda: self.estate.run(world=world), changes, pages, pages + SLACK)

    def event(self, kind: str, world: World, profile: str, changes: int = 0) -> None:
        bell = self.estate.profile_bell(profile)
        self._count(kind, lambda: self.estate.run(bell, world=world), changes, 1, SLACK)

    def ledger(self) -> Pages:
        """What the last sweep read of the ledger, beside a plain scan of it."""
        read = self.estate.calls("dynamodb")["Scan"]
        pages = self.estate.client("dynamodb").get_paginator("scan").paginate(TableName=LEDGER, Select="COUNT")
        counts = [page["ScannedCount"] for page in pages]
        return Pages(self.grants, sum(counts), len(counts), read)

    def _count(self, kind: str, run: Callable[[], Report], changes: int, pages: int, bound: int) -> None:
        self.estate.forget_calls()
        report = run()
        if (len(report.done), report.finished) != (changes, True):
            raise RuntimeError(f"{kind}: {changes} changes were to be made: {report.summary()}")
        calls = [sum(self.estate.calls(service).values()) for service in ("s3control", "dynamodb", "sagemaker", "s3")]
        self.runs.append(Counted(kind, self.grants, changes, pages + changes, bound + changes, *calls))
        self.grants += report.created - report.deleted
