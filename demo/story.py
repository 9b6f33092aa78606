"""The story: a deploy, the article step by step, what it leaves to hands and watching, and a clean desk in the end."""

from dataclasses import replace
from pathlib import Path

from benchmarks.event_to_grant import measure
from benchmarks.figures import table, write
from demo import article, more_rules, new_data, people
from demo.cast import Cast, Row
from demo.desk import Desk
from demo.inventory import inventory
from demo.stack import deploy, leave
from demo.stage import eventually, part, say, step


def tell(desk: Desk, data: Path | None) -> None:
    """The whole story; Unmet at the first expectation that does not hold."""
    before = inventory(desk.client, desk.account)
    part("The article, step by step")
    cast = deploy(desk, data)
    grants = article.tell(cast, data)
    part("What the article leaves to people who watch")
    people.tell(cast, grants)
    more_rules.tell(cast, grants)
    new_data.tell(cast, data)
    speed(cast, grants)
    part("The article's last step")
    leave(cast, before)


def speed(cast: Cast, grants: set[Row]) -> None:
    with step("From event to grant, beside an empty function"):
        figures = measure(cast.desk.client, cast.outputs, samples=5)
        write("event_to_grant_demo", figures)
        say(table([replace(figure, bound=None) for figure in figures]))  # `make bench` judges them, with more samples
        eventually("the grants are the article's again", grants, cast.grants)
