"""Spark and plain Python agree on every line and every reason, in the order of the file."""

import os
import statistics
from bisect import bisect
from collections import Counter

import pytest
from pyspark.sql import Observation
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

from framework import columns
from framework.engine import MAX_METHOD_BYTES, derive_session, read_input, transform_files
from framework.exits import CONTRACT as WRONG_INPUT
from framework.exits import JobFailed
from framework.lines import split_lines
from framework.measures import decode_counts, encode_counts
from tests.abalone import BINS, CONTRACT, NUMBERS, find_wrong_header, transform_line
from tests.spark.rules.dirty_lines import build_dirty_lines as dirty
from tests.spark.rules.spark_result import GOOD, compute_splits, read_splits, run_spark
from tests.spark.rules.test_lines import FEATURES, IN_ORDER, REFUSED, SWAPPED, UCI

SEEDS = range(20) if os.environ.get("FUZZ") == "long" else [7]


def file(lines, end="\n"):
    return "".join(line + end for line in lines).encode(errors="surrogateescape")


def test_spark_and_plain_python_agree_on_each_line_of_the_table(spark, tmp_path):
    content = file([line for line, _ in FEATURES + REFUSED])

    assert run_spark(spark, tmp_path, content)[1] == compute_splits(content)


@pytest.mark.parametrize("seed", SEEDS)
def test_spark_and_plain_python_agree_on_ten_thousand_dirty_lines(spark, tmp_path, seed):
    lines = dirty(10_000, seed)
    content = file(lines)

    counts, splits = run_spark(spark, tmp_path, content)

    assert splits == compute_splits(content)
    assert counts.quarantine == Counter(text.partition("\t")[0] for text in splits["quarantine"])
    assert counts.header_lines == sum(transform_line(line)[0] == "header" for line in lines)


def test_the_dirty_lines_cover_every_reason():
    said = [transform_line(line) for line in dirty(10_000, 7)]
    each = {
        f"{name} {fault}"
        for name in NUMBERS
        for fault in ("missing", "not a number", "0", "out of range")
    }

    assert {text.partition("\t")[0] for kind, text in said if kind == "quarantine"} == each | {
        "rings not whole", "blank line", "header line", "not 9 columns", "sex not M, F or I",
    }  # fmt: skip
    assert sum(kind != "quarantine" for kind, _ in said) > 1000, "and good ones"


def test_counts_are_those_that_plain_python_finds(spark, tmp_path):
    content = file(dirty(10_000, 8))
    counts, splits = run_spark(spark, tmp_path, content)
    rows = [text.split(",") for kind in ("train", "validation") for text in splits[kind]]
    cells = [[*row[3:], row[0]] for row in rows]

    read = 10_000 - counts.header_lines
    assert counts.rows == {"in": read} | {kind: len(splits[kind]) for kind in splits}
    for name, column in zip(NUMBERS, zip(*cells, strict=True), strict=True):
        values, measure = list(map(float, column)), counts.columns[name]
        found = [0] * (BINS[name].count + 1)
        for value in values:
            found[min(bisect(measure.edges, value) - 1, BINS[name].count)] += 1
        figures = (
            min(values),
            max(values),
            pytest.approx(statistics.fmean(values)),
            pytest.approx(statistics.stdev(values)),
        )
        assert (measure.min, measure.max, measure.mean, measure.deviation) == figures
        assert list(measure.counts) == found
        assert measure.missing == pytest.approx(
            counts.quarantine.get(f"{name} missing", 0) / read, rel=1e-8
        )


def test_a_value_on_an_edge_belongs_to_the_bin_above(spark, tmp_path):
    edges = BINS["length"].edges[1:-1]
    counts, _ = run_spark(
        spark, tmp_path, file(GOOD.replace("0.455", f"{edge:g}") for edge in edges)
    )

    assert counts.columns["length"].counts == (0, *[1] * len(edges))


def test_counts_survive_json(spark, tmp_path):
    counts, _ = run_spark(spark, tmp_path, file(dirty(100, 1)))

    assert decode_counts(encode_counts(counts)) == counts


def test_partitioning_changes_neither_the_splits_nor_the_counts(spark, tmp_path):
    content = file(dirty(5_000, 9))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, cut = (
        run_spark(spark, tmp_path / "a", content, files=1),
        run_spark(spark, tmp_path / "b", content, files=7),
    )

    assert whole == cut
    assert len(list((tmp_path / "b/out/train").glob("part-*"))) == 7


def test_lines_that_end_as_on_windows_make_the_same_rows(spark, tmp_path):
    lines = [line.removesuffix("\r") for line in dirty(500, 3)]

    assert run_spark(spark, tmp_path, file(lines, "\r\n")) == run_spark(
        spark, tmp_path, file(lines)
    )


@pytest.mark.parametrize("files", [1, 7], ids=["one part", "seven parts"])
def test_header_lines_are_no_rows_however_spark_cuts_the_file(spark, tmp_path, files):
    listed = [one for line in IN_ORDER for one in (line, *dirty(300, 5), GOOD)]
    content = b"\xef\xbb\xbf" + file(listed)

    counts, splits = run_spark(spark, tmp_path, content, files)

    skipped = [line for line in listed if transform_line(line)[0] == "header"]
    assert len(skipped) > len(IN_ORDER)
    assert splits == compute_splits(content)
    assert (counts.header_lines, counts.rows["in"]) == (len(skipped), len(listed) - len(skipped))
    assert sum(counts.rows[kind] for kind in splits) == counts.rows["in"]
    assert decode_counts(encode_counts(counts)) == counts


def test_a_header_in_another_order_below_the_first_line_fails_the_run(spark, tmp_path):
    listed = [UCI, GOOD, SWAPPED, GOOD]
    assert find_wrong_header(listed) == 3

    with pytest.raises(JobFailed, match="names the columns in another order") as refused:
        run_spark(spark, tmp_path, file(listed, "\r\n"))

    assert refused.value.code == WRONG_INPUT
    assert "The file: Sex, Diameter, Length, Height" in str(refused.value)
    assert "The contract: sex, length, diameter, height" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"\n", 1),
        (b"\r\n", 1),
        (GOOD.encode(), 1),
        (b"\xef\xbb\xbf" + GOOD.encode(), 1),
        (b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n", 1),
        (b"\xff\xfe" + GOOD.encode("utf-16-le"), 1),
        (bytes(range(256)), 2),
        ("Länge;Höhe\n".encode("latin-1") * 3, 3),
    ],
    ids=[
        "nothing",
        "a line feed",
        "a Windows line feed",
        "no end",
        "BOM",
        "BOM and Windows",
        "UTF-16",
        "each byte",
        "Latin-1",
    ],
)
def test_spark_and_plain_python_read_odd_files_alike(spark, tmp_path, content, rows):
    counts, splits = run_spark(spark, tmp_path, content)

    assert (counts.rows["in"], splits) == (rows, compute_splits(content))


def test_leftovers_of_a_dead_run_are_removed(spark, tmp_path):
    for kind in ("train", "apart/split=0", "quarantine"):
        (tmp_path / "out" / kind).mkdir(parents=True)
        (tmp_path / "out" / kind / "part-old").write_text("old\n")
    _, splits = run_spark(spark, tmp_path, file([GOOD]))

    assert splits == compute_splits(GOOD.encode())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train"]


def test_a_file_name_with_special_characters_is_read_literally(spark, tmp_path):
    source = tmp_path / "a [1]{2} 100%25 *.csv"
    source.write_text(GOOD)
    transform_files(spark, [str(source)], str(tmp_path / "out"), 1, CONTRACT)

    assert read_splits(tmp_path / "out") == compute_splits(GOOD.encode())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_too_long_for_memory_is_skipped_and_the_file_is_refused(spark, tmp_path, end):
    content = file([GOOD]) + b"M" * (1 << 22) + end + (file([GOOD]) if end else b"")

    with pytest.raises(JobFailed, match="has a line of more than 1,048,576 bytes") as refused:
        run_spark(spark, tmp_path, content)

    assert refused.value.code == WRONG_INPUT


def test_a_line_just_short_enough_is_quarantined_completely(spark, tmp_path):
    content = file(["M" * (1 << 20), GOOD])

    assert run_spark(spark, tmp_path, content)[1] == compute_splits(content)


def test_only_the_histograms_of_a_large_file_use_a_sample_of_the_rows(spark, tmp_path):
    content = file(
        split_lines(
            file(FEATURES[at % 4][0].replace("0.", f"0.{at % 97}", 1) for at in range(150_000))
        )
    )
    counts, _ = run_spark(spark, tmp_path, content)
    kept, drawn = (
        counts.rows["train"] + counts.rows["validation"],
        sum(counts.columns["length"].counts),
    )

    assert (kept, counts.sampled) == (150_000, -(-len(content) // (18 * CONTRACT.sample_rows)))
    assert drawn < kept


def test_java_compiles_each_method_of_abalones_pass(spark, tmp_path):
    """Whole-stage code has one method for each step, and Java interprets a method that is too large."""
    (tmp_path / "abalone.csv").write_text(GOOD)
    session = derive_session(spark, 1)
    lines = read_input(session, [str(tmp_path / "abalone.csv")], CONTRACT).coalesce(1)
    classified = columns.classify_lines(lines, CONTRACT).observe(Observation(), F.sum("octets"))
    written = columns.format_rows(classified.where("split < 3"), CONTRACT)

    steps = written._jdf.queryExecution().debug().codegenToSeq()
    sizes = [steps.apply(at)._3().maxMethodCodeSize() for at in range(steps.length())]

    assert len(sizes) == 2
    assert max(sizes) < MAX_METHOD_BYTES
