"""Parquet and scripts in Spark."""

from dataclasses import replace

import pytest

from framework.engine import transform_files
from framework.exits import CONTRACT, JobFailed
from framework.job_files import Job
from framework.script_engine import ScriptContext, load_transform, transform_by_script
from tests.contracts import SHOP, SHOP_VALUES, parse
from tests.spark.rules.spark_result import compute_splits, read_splits, run_spark


def encode(lines):
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def test_parquet_is_judged_as_lines_of_json_are(spark, tmp_path):
    contract = parse(format="parquet", path="shop.parquet", dialect=None)
    rows = [
        ("a", "basic", 3, 9.5, "2024-01-31", True),
        ("b", "pro", 4, None, "2024-02-29", False),
        ("c", "gold", 5, 0.00001, "2024-01-31", True),
    ]
    frame = spark.createDataFrame(rows, "customer string, plan string, months int, charge double, "
                                        "signup string, left boolean")  # fmt: skip
    frame.selectExpr("customer", "plan", "months", "charge", "cast(signup as date) signup", "left")\
        .coalesce(1).write.parquet(str(tmp_path / "in"))  # fmt: skip
    (source,) = (tmp_path / "in").glob("part-*")

    counts = transform_files(spark, [str(source)], str(tmp_path / "out"), 1, contract)

    found = read_splits(tmp_path / "out")
    assert sorted(found["train"] + found["validation"]) == [
        "0,0,0,1,4,,,2", "1,1,0,0,3,9.5,2.351375,1",
    ]  # fmt: skip
    row = (
        '{"customer":"c","plan":"gold","months":"5","charge":"0.000010000000000",'
        '"signup":"2024-01-31","left":"true"}'
    )
    assert found["quarantine"] == [f"plan not basic, plus or pro\t{row}"]
    assert counts.rows["in"] == 3


def test_parquet_with_other_columns_is_refused(spark, tmp_path):
    contract = parse(format="parquet", path="shop.parquet", dialect=None)
    spark.range(3).write.parquet(str(tmp_path / "in"))

    with pytest.raises(JobFailed, match=r"lacks customer, plan, .* and has also id") as refused:
        transform_files(spark, [str(tmp_path / "in")], str(tmp_path / "out"), 1, contract)

    assert refused.value.code == CONTRACT


SCRIPT = """
from pyspark.sql import functions as F


def shout(text):
    return text.upper()


def transform(df, context):
    loud = F.udf(shout, useArrow=False)
    chosen = df.where(df.months >= context.parameters["months"])
    return chosen.select(loud("plan").alias("plan"), "charge", "signup", "left")
"""


def run_script(spark, tmp_path, script, lines):
    source = tmp_path / "shop.csv"
    source.write_bytes(encode([",".join(SHOP.names), *lines]))
    job = Job("shout", replace(SHOP, label="", features=()), script)
    context = ScriptContext("shout", "0" * 20, {"months": 5}, (), "s3://b/out/")
    return transform_by_script(spark, [str(source)], str(tmp_path / "out"), job, context)


def test_a_script_gets_typed_rows_that_fit_and_its_result_is_written_as_lines_of_json(
    spark, tmp_path
):
    lines = ["a,basic,4,1,2024-01-31,true", "b,pro,5,,2024-02-29,false", "c,gold,9,1,,true"]

    counts = run_script(spark, tmp_path, SCRIPT, lines)

    written = [path.read_text() for path in sorted((tmp_path / "out/data").glob("part-*"))]
    assert "".join(written) == '{"plan":"PRO","charge":null,"signup":"2024-02-29","left":false}\n'
    assert counts.rows == {"in": 3, "kept": 2, "data": 1, "quarantine": 1}
    assert counts.quarantine == {"plan not basic, plus or pro": 1}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("def transform(df):\n    return df.nothing\n", "failed at line 2: .*AttributeError"),
        ("def transform(df):\n    return 1\n", "returned int. Return a DataFrame"),
        ("x = 1\n", "has no function transform"),
        ("raise ValueError('no')\n", "failed at line 1: ValueError: no"),
    ],
    ids=["a wrong column", "no DataFrame", "no function", "an error while it is read"],
)
def test_a_script_that_fails_is_named_with_its_line(spark, tmp_path, script, why):
    with pytest.raises(JobFailed, match=why):
        run_script(spark, tmp_path, script, ["a,basic,4,1,2024-01-31,true"])


def test_a_script_may_take_the_rows_alone():
    job = Job("plain", SHOP, "def transform(df):\n    return df\n")

    assert load_transform(job)(1) == 1


HALF_A_MEBIBYTE = 1 << 19


@pytest.mark.parametrize("kind", ["quotes", "cells", "escapes", "members", "a pattern"])
def test_a_line_of_a_mebibyte_is_judged_without_recursion(spark, tmp_path, kind):
    """Java would exhaust its stack, and the job would fail, if a group that is repeated recursed."""
    packed = parse(format="jsonl", dialect=None)
    code = {"name": "code", "constraints": {"pattern": "(?:a|b)+"}}
    patterned = parse(schema={"fields": [code, *SHOP_VALUES["schema"]["fields"]]})
    contract, line = {
        "quotes": (SHOP, f'"{'""' * (HALF_A_MEBIBYTE - 100)}",basic,5,,,true'),
        "cells": (SHOP, '"",' * (HALF_A_MEBIBYTE // 3)),
        "escapes": (packed, f'{{"customer": "{"\\n" * (HALF_A_MEBIBYTE - 100)}"}}'),
        "members": (packed, f"{{{','.join(['"plan":1'] * (HALF_A_MEBIBYTE // 9))}}}"),
        "a pattern": (patterned, f"{'ab' * (HALF_A_MEBIBYTE - 100)},x,basic,5,,,true"),
    }[kind]
    content = encode([line])

    assert run_spark(spark, tmp_path, content, contract=contract)[1] == compute_splits(
        content, contract
    )
