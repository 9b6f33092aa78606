"""Which machines can run Spark alone, and which an input gets by its size."""

import pytest

from docs import jobs_page
from grantor.core.machines import (
    AUTO_STEPS,
    GIB,
    PRICES,
    choose_instances,
    compute_price,
    read_memory,
    read_vcpus,
    starts_executor,
    suggest_machine,
)
from grantor.core.planning.bounds import JobBounds
from grantor.core.rules import Instances

ANYTHING = JobBounds(("ml.*",), 100, 24, 16_384)


@pytest.mark.parametrize(
    ("kind", "vcpus", "mib"),
    [
        ("ml.t3.medium", 2, 4_096),
        ("ml.t3.large", 2, 8_192),
        ("ml.m5.large", 2, 8_192),
        ("ml.m5.xlarge", 4, 16_384),
        ("ml.m5.24xlarge", 96, 393_216),
        ("ml.c5.9xlarge", 36, 73_728),
        ("ml.r5.2xlarge", 8, 65_536),
        ("ml.p3.2xlarge", 8, None),
        ("m5.large", 0, None),
    ],
)
def test_what_the_name_of_a_machine_tells(kind: str, vcpus: int, mib: int | None) -> None:
    assert (read_vcpus(kind), read_memory(kind)) == (vcpus, mib)


@pytest.mark.parametrize(
    ("kind", "count", "starts"),
    [
        ("ml.t3.medium", 1, False),
        ("ml.t3.large", 1, False),
        ("ml.m5.large", 1, False),
        ("ml.c5.xlarge", 1, False),
        ("ml.m5.xlarge", 1, True),
        ("ml.r5.large", 1, True),
        ("ml.m5.large", 2, True),
        ("ml.p3.2xlarge", 1, True),
    ],
)
def test_a_single_small_machine_starts_no_executor(kind: str, count: int, starts: bool) -> None:
    assert starts_executor(kind, count) is starts


def test_the_machine_that_is_suggested_starts_one() -> None:
    for kind in ("ml.t3.medium", "ml.t3.large", "ml.m5.large", "ml.c5.large", "ml.c5.xlarge"):
        assert starts_executor(suggest_machine(kind), 1)


@pytest.mark.parametrize(
    ("size", "machines"),
    [
        (0, Instances("ml.m5.xlarge", 1, 30)),
        (1 * GIB, Instances("ml.m5.xlarge", 1, 30)),
        (1 * GIB + 1, Instances("ml.m5.2xlarge", 1, 30)),
        (20 * GIB, Instances("ml.m5.2xlarge", 2, 65)),
        (100 * GIB, Instances("ml.m5.2xlarge", 4, 323)),
        (300 * GIB, Instances("ml.m5.4xlarge", 4, 967)),
        (10_000 * GIB, Instances("ml.m5.4xlarge", 8, 16_384)),
    ],
)
def test_machines_grow_with_the_input(size: int, machines: Instances) -> None:
    assert ANYTHING.choose_machines(size) == machines


@pytest.mark.parametrize(
    ("bounds", "size", "machines"),
    [
        (JobBounds(("ml.m5.xlarge",), 10), 20 * GIB, Instances("ml.m5.xlarge", 1, 65)),
        (JobBounds(("ml.m5.*",), 1), 500 * GIB, Instances("ml.m5.2xlarge", 1, 500)),
        (JobBounds(("ml.r5.*",), 10), 0, Instances("ml.r5.xlarge", 1, 30)),
        (JobBounds(("ml.c5.*",), 10), 0, Instances("ml.c5.2xlarge", 1, 30)),
        (JobBounds(("ml.c5.xlarge",), 10), 0, None),
        (JobBounds(("ml.p3.*",), 10), 0, None),
        (JobBounds(volume=100), 100 * GIB, Instances("ml.m5.2xlarge", 4, 100)),
    ],
    ids=[
        "one size",
        "one machine",
        "another family",
        "a family of little memory",
        "too small",
        "none that is known",
        "a small volume",
    ],
)
def test_machines_stay_within_the_bounds(
    bounds: JobBounds, size: int, machines: Instances | None
) -> None:
    assert bounds.choose_machines(size) == machines


def test_every_machine_that_can_be_chosen_has_a_price_and_starts_an_executor() -> None:
    for family in ("m5", "r5", "c5"):
        for step in AUTO_STEPS:
            machines = step.build(family, 30)
            known = starts_executor(machines.type, machines.count)
            assert known or family == "c5"
            assert compute_price(machines) == PRICES[machines.type] * machines.count


def test_the_page_about_jobs_has_the_table_of_today() -> None:
    page = jobs_page.PAGE.read_text()

    assert jobs_page.refresh_page(page) == page, "run make docs"


def test_a_machine_without_a_price_has_none() -> None:
    assert compute_price(Instances("ml.p3.2xlarge", 1)) is None
    assert choose_instances(0, lambda _: False) is None
