"""The article's own pipeline computes the same numbers from the same rows."""

import pytest

from benchmarks.spark.article_job import build_features, format_csv_line
from framework.lines import split_lines
from tests.abalone import transform_line
from tests.spark.rules.spark_result import REAL, SAMPLE, compute_splits, run_spark


@pytest.fixture
def pairs(spark, tmp_path, request):
    """Of each line that is not refused: our numbers and the article's."""
    content = request.param.read_bytes()
    assert run_spark(spark, tmp_path, content)[1] == compute_splits(content)
    theirs = [
        format_csv_line((row.rings, row.features))
        for row in build_features(spark, str(request.param)).coalesce(1).collect()
    ]
    said = zip(map(transform_line, split_lines(content)), theirs, strict=True)
    return [(numbers(text), numbers(line)) for (kind, text), line in said if kind != "quarantine"]


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} of UCI is not here")
@pytest.mark.parametrize("pairs", [REAL], ids=["UCI"], indirect=True)
def test_label_and_features_equal_the_articles_row_by_row(pairs):
    assert len(pairs) == 4175
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


@pytest.mark.parametrize("pairs", [SAMPLE], ids=["sample"], indirect=True)
def test_with_other_frequencies_only_the_meaning_of_the_flags_differs_from_the_article(pairs):
    flags = {(tuple(ours[1:3]), tuple(theirs[1:3])) for ours, theirs in pairs}

    assert [pair for pair in pairs if pair[0][:1] + pair[0][3:] != pair[1][:1] + pair[1][3:]] == []
    assert len(flags) == 3
    assert any(ours != theirs for ours, theirs in flags)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} of UCI is not here")
def test_all_rows_of_the_real_file_are_accounted_for(spark, tmp_path):
    counts, splits = run_spark(spark, tmp_path, REAL.read_bytes())

    assert counts.rows == {"in": 4177, "train": 3314, "validation": 861, "quarantine": 2}
    assert counts.categories == {"sex": {"M": 1528, "I": 1342, "F": 1307}}
    assert counts.quarantine == {"height 0": 2}
    assert {kind: len(rows) for kind, rows in splits.items()} == {
        "train": 3314,
        "validation": 861,
        "quarantine": 2,
    }


def numbers(line):
    return [float(cell) for cell in line.split(",")]
