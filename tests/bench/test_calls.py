"""As many calls as are promised, in estates small enough for every day; `make bench` counts them in large ones."""

import pytest

from benchmarks.calls import count
from benchmarks.estates import people
from benchmarks.figures import Figure, table
from benchmarks.page import PAGE
from tests.estate import DOMAIN, Estate

EVENTS = ("profile's event", "new profile's event")
FOLDERS = f"""\
version: 1
rules:
  - name: teams
    to: {{profiles: {{domain: {DOMAIN}}}}}
    on: {{each_prefix: "s3://{{data_bucket}}/teams/"}}
    allow: READ
"""


@pytest.mark.parametrize("profiles", [1, 11])
def test_no_run_makes_more_calls_than_promised_and_an_event_costs_the_same_in_each(bare: Estate, profiles: int) -> None:
    tally = count(bare, profiles)

    assert [figure.what for figure in tally.figures() if not figure.holds] == []
    assert {one.run: one.access for one in tally.runs if one.run in EVENTS} == {"profile's event": 2, "new profile's event": 102}


def test_the_page_tells_what_is_counted(bare: Estate) -> None:
    told = [line.split() for line in PAGE.read_text().splitlines()]

    for one in count(bare, 1).runs:
        cells = [str(cell) for cell in one.row()[:7]]
        words = " ".join(cells).split()
        assert [line for line in told if line[: len(words)] == words], one


def test_an_upload_into_a_folder_of_many_costs_pages_and_not_calls_for_each(bare: Estate) -> None:
    people(bare, range(60))
    bare.policy("teams", FOLDERS)
    world = bare.world()
    bare.run(world=world)
    created = bare.run(bare.upload("teams/blue/a.csv"), world=world).created
    bare.forget_calls()
    again = bare.run(bare.upload("teams/blue/b.csv"), world=world)

    assert (created, again.done) == (60, [])
    assert bare.calls() == {"ListAccessGrants": 1, "ListAccessGrantsLocations": 1}
    assert sum(bare.calls("dynamodb").values()) < 10


def test_a_figure_over_its_bound_does_not_hold() -> None:
    calls = Figure("calls", 1000, "calls", 999)

    assert not calls.holds
    assert table([calls]) == "calls     1,000 calls  ≤ 999: DOES NOT HOLD"
