"""The two example jobs, in whole runs: quoted customers by a contract, and orders by a script."""

import json
import runpy
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import ROOT, Sandbox
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output
from tests.spark.spark_worker import JARS, SparkWorker, start_worker

EXAMPLES = ROOT / "examples/jobs"
CHURN = runpy.run_path(str(EXAMPLES / "generate_churn.py"))
COLUMNS, generate_rows = CHURN["COLUMNS"], CHURN["generate_rows"]
generate_orders = runpy.run_path(str(EXAMPLES / "generate_orders.py"))["generate_orders"]

pytestmark = pytest.mark.skipif(
    not JARS.is_dir(), reason="needs the jars: make .tools/spark/jars/.made"
)

DIRTY = [
    "C9999990,2020-01-01,gold,Graz,yes,1,10,10,0,,no",
    "C9999991,2020-13-01,basic,Graz,yes,1,10,10,0,,no",
    'C9999992,2020-01-01,basic,"Graz,yes,1,10,10,0,,no',
    "C9999993,2020-01-01,basic,Graz,maybe,1,10,10,0,,no",
    "C9999994,2020-01-01,basic,Graz,yes,,10,10,0,,no",
]


@pytest.fixture(scope="module")
def worker(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkWorker]:
    with start_worker(start_sandbox(), tmp_path_factory.mktemp("examples")) as started:
        yield started


@pytest.fixture
def setup(worker: SparkWorker) -> JobSetup:
    return set_up_job(worker.sandbox, ("UserA/*", "READWRITE"))


def quote(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"' if set(cell) & set(',"') else cell


def churn_file(count: int, *dirty: str, header: list[str] = COLUMNS) -> bytes:
    rows = [header, *generate_rows(count)]
    lines = [",".join(map(quote, row)) for row in rows]
    return "".join(f"{line}\n" for line in [*lines, *dirty]).encode()


def read_lines(setup: JobSetup, split: str) -> list[str]:
    output = read_output(setup)
    run = f"UserA/output/runs/{output.latest_run}/"
    paths = [file["path"] for file in output.manifest["files"] if file["split"] == split]
    return [
        line
        for path in paths
        for line in (setup.read_object(run + path) or b"").decode().splitlines()
    ]


def test_quoted_customers_with_missing_values_become_features(worker: SparkWorker, setup: JobSetup):
    setup.upload("UserA/churn.csv", churn_file(500, *DIRTY))

    ended = worker.run_job(setup, setup.build_arguments("UserA/churn.csv", job="churn"))

    assert ended.code == 0, ended.stderr
    rows = read_output(setup).manifest["rows"]
    assert (rows["in"], rows["quarantine"]) == (505, 5)
    made = read_lines(setup, "train") + read_lines(setup, "validation")
    assert {line.count(",") for line in made} == {11}
    assert {line.split(",")[0] for line in made} == {"0", "1"}
    reasons = [line.partition("\t")[0] for line in read_lines(setup, "quarantine")]
    assert sorted(reasons) == [
        "paperless not true or false",
        "plan not basic, plus or pro",
        "quotes not valid",
        "signup not a date",
        "tenure missing",
    ]


def test_customers_without_a_header_are_refused_before_spark_starts(
    worker: SparkWorker, setup: JobSetup
):
    setup.upload("UserA/churn.csv", churn_file(20).split(b"\n", 1)[1])

    ended = worker.run_job(setup, setup.build_arguments("UserA/churn.csv", job="churn"))

    assert ended.code == 12, ended.stderr


def test_a_script_makes_one_row_for_each_customer_and_gets_its_parameter(
    worker: SparkWorker, setup: JobSetup
):
    orders = [json.loads(line) for line in generate_orders(400)]
    body = "".join(f"{json.dumps(order)}\n" for order in orders) + '{"order_id": "x"}\n'
    setup.upload("UserA/orders.jsonl", body.encode())

    ended = worker.run_job(
        setup, setup.build_arguments("UserA/orders.jsonl", job="orders", min_orders="3")
    )

    assert ended.code == 0, ended.stderr
    made = {row["customer_id"]: row for row in map(json.loads, read_lines(setup, "data"))}
    counts: dict[str, int] = {}
    for order in orders:
        counts[order["customer_id"]] = counts.get(order["customer_id"], 0) + 1
    assert {name: row["orders"] for name, row in made.items()} == {
        name: count for name, count in counts.items() if count >= 3
    }
    assert len(read_lines(setup, "quarantine")) == 1


def test_a_parameter_out_of_its_range_is_refused(worker: SparkWorker, setup: JobSetup):
    setup.upload("UserA/orders.jsonl", b'{"order_id": "x"}\n')

    ended = worker.run_job(
        setup, setup.build_arguments("UserA/orders.jsonl", job="orders", min_orders="0")
    )

    assert (ended.code, "min_orders" in ended.last_line) == (2, True), ended.stderr


def test_the_generators_make_the_same_data_each_time():
    assert churn_file(50) == churn_file(50)
    assert list(generate_orders(50)) == list(generate_orders(50))
