"""A run's report: one page that anybody can read, offline, and that says what the manifest says."""

import re
from typing import Any

import pytest

from framework.report import MAX_LISTED_ITEMS, render_page
from framework.stylesheet import STYLESHEET
from tests.abalone import NUMBERS
from tests.job_report.manifests import column, file, manifest, nothing
from tests.job_report.reading import read, section

BEFORE = manifest(
    run_id="ffff456789abcdef0123",
    at="2026-11-23T10:00:00+00:00",
    rows={"in": 50, "train": 40, "validation": 10, "quarantine": 0},
    columns={name: column([10, 30, 10, 0], 0.45) for name in NUMBERS},
    categories={"sex": {"F": 20, "I": 20, "M": 10}},
)
NASTY = "<script>alert(1)</script>\"'&\u202e\x00\ud800"


def pages() -> list[Any]:
    """Every kind of report."""
    return [
        pytest.param(render_page(manifest()), id="the first run"),
        pytest.param(
            render_page(manifest(drift=["rings: the mean rose"]), BEFORE), id="a run after another"
        ),
        pytest.param(render_page(nothing(), BEFORE), id="everything in quarantine"),
        pytest.param(render_page(manifest(), nothing()), id="after a run that made nothing"),
    ]


@pytest.mark.parametrize("made", pages())
def test_the_page_loads_nothing_else(made: str):
    tree = read(made)

    assert not tree.all("script") + tree.all("link") + tree.all("img") + tree.all("iframe")
    assert not re.search(r"url\(|@import|https?:", made)
    assert not [one for one in tree.all() if {"src", "href", "style"} & one.attributes.keys()]
    assert not [name for one in tree.all() for name in one.attributes if name.startswith("on")]


@pytest.mark.parametrize("made", pages())
def test_a_screen_reader_gets_all_that_is_visible(made: str):
    tree = read(made)
    names = [one.attributes["id"] for one in tree.all() if "id" in one.attributes]

    assert made.startswith('<!doctype html>\n<html lang="en">')
    assert (tree.first("title").text, len(tree.all("h1"))) == (
        "Abalone features, run 0123456789abcdef0123",
        1,
    )
    assert [part.attributes["aria-labelledby"] for part in tree.all("section")] == names
    assert len(names) == len(set(names))
    for picture in tree.all("svg"):
        assert picture.attributes.get("aria-hidden") == "true" or (
            picture.attributes["role"],
            bool(picture.attributes["aria-label"]),
        ) == ("img", True)
    for table in tree.all("table"):
        assert table.first("caption").text
        assert (
            {cell.attributes["scope"] for cell in table.all("th")} == {"col", "row"}
            if table.first("tbody").all("tr")
            else True
        )


def test_the_page_begins_with_the_counts():
    assert (
        read(render_page(manifest())).first("h1").text
        == "100 rows in, 98 made features, 2 in quarantine"
    )
    assert (
        read(render_page(nothing())).first("h1").text
        == "7 rows in, 0 made features, 7 in quarantine"
    )


def test_rows_are_shown_with_their_shares_and_their_change():
    assert [one.text for one in section(render_page(manifest(), BEFORE), "Rows").all("li")] == [
        "100rows in +100 % since last time",
        "78to train on 78 %",
        "20to validate with 20 %",
        "2in quarantine 2 %",
    ]
    assert section(render_page(manifest()), "Rows").first("li").text == "100rows in"


def test_each_measure_has_a_picture_and_beside_it_a_table_that_says_the_same():
    features = section(render_page(manifest(), BEFORE), "Features")
    shapes = features.all("div", "shape")

    assert [shape.first("h3").text for shape in shapes] == [
        name.replace("_", " ") for name in NUMBERS
    ]
    for shape in shapes:
        assert shape.first("table").rows == [
            ["0", "0.25", "0", "10"],
            ["0.25", "0.5", "40", "30"],
            ["0.5", "0.75", "58", "10"],
            ["0.75", "1", "0", "0"],
        ]
        assert [
            bar.text for bar in shape.first("svg").all("path", "now") if "mean" not in bar.classes
        ] == [
            "0.25 to 0.5: 40 rows",
            "0.5 to 0.75: 58 rows",
        ]
        assert shape.first("p", "ends").text == "mean 0.5 (+11 %), from 0.3 to 0.7"


def test_now_and_last_time_differ_without_colour():
    both = section(render_page(manifest(), BEFORE), "Features").first("svg")
    alone = section(render_page(manifest()), "Features").first("svg")

    assert [both.all("path", kind) != [] for kind in ("now", "before")] == [True, True]
    assert alone.all("path", "before") == []
    assert re.search(r"path\.before \{ fill: none; stroke: var\(--before\)", STYLESHEET)
    assert (
        section(render_page(manifest(), BEFORE), "Features").first("p", "key").text
        == "now, as barslast time, as a line▲ meanheights are shares of the rows"
    )


def test_bars_and_line_are_shares_so_that_runs_of_any_length_compare():
    ten, thousand = (
        manifest(columns=dict.fromkeys(NUMBERS, column([0, number, number, 0], 0.5)))
        for number in (5, 500)
    )
    drawn = [
        [
            bar.attributes["d"]
            for bar in section(render_page(one, BEFORE), "Features").first("svg").all("path")
        ]
        for one in (ten, thousand)
    ]

    assert drawn[0] == drawn[1]


def test_a_sample_is_named_as_such():
    assert (
        section(render_page(manifest(sampled=39)), "Features")
        .first("p", "key")
        .text.endswith("are shares of a sample, one row in 39")
    )


def test_frequently_missing_values_are_shown():
    often = manifest(columns={"length": column([0, 40, 58, 0], 0.5, missing=0.02)})

    assert (
        section(render_page(often), "Features").first("p", "ends").text
        == "mean 0.5, from 0.3 to 0.7, missing in 2 % of lines"
    )


def test_counts_with_other_bins_are_not_drawn():
    other = BEFORE | {"columns": dict.fromkeys(NUMBERS, column([1, 1, 1], 0.4))}

    assert (
        section(render_page(manifest(), other), "Features").first("svg").all("path", "before") == []
    )


def test_a_new_measure_has_no_previous_run():
    other = BEFORE | {"columns": {}}

    assert (
        section(render_page(manifest(), other), "Features").first("svg").all("path", "before") == []
    )


def test_drift_is_shown_in_the_manifests_own_sentences():
    drifted = section(
        render_page(manifest(drift=["rings: the mean rose"]), BEFORE), "Since last time"
    )
    steady = section(render_page(manifest(), BEFORE), "Since last time")

    assert [one.text for one in drifted.all("li")] == ["rings: the mean rose"]
    assert steady.first("li").text.startswith("Nothing has drifted")
    assert (
        drifted.first("p").text == "Compared with run ffff456789abcdef0123 of 2026-11-23 10:00:00Z."
    )


def test_the_first_run_has_nothing_to_compare_with():
    assert (
        section(render_page(manifest()), "Since last time")
        .first("p")
        .text.startswith("This is the first run that was published here")
    )


def test_categories_are_shown_with_their_shares_now_and_last_time():
    assert [
        row[:4] for row in section(render_page(manifest(), BEFORE), "Sex").first("table").rows
    ] == [
        ["F", "30", "30.6 %", "40 %"],
        ["I", "28", "28.6 %", "40 %"],
        ["M", "40", "40.8 %", "20 %"],
    ]


def test_quarantine_is_shown_by_reason_the_most_frequent_first():
    rows = (
        section(
            render_page(manifest(quarantine={"height 0": 1, "blank line": 3, "not 9 columns": 4})),
            "Quarantine",
        )
        .first("table")
        .rows
    )

    assert [row[:3] for row in rows] == [
        ["not 9 columns", "4", "50 %"],
        ["blank line", "3", "37.5 %"],
        ["height 0", "1", "12.5 %"],
    ]
    assert (
        section(render_page(manifest(quarantine={})), "Quarantine").first("p").text
        == "Every line kept to the contract."
    )


def test_a_run_without_features_says_so_instead_of_drawing_nothing():
    features = section(render_page(nothing(), BEFORE), "Features")

    assert (features.first("p").text, features.all("svg")) == (
        "No row made features, so there is nothing to measure.",
        [],
    )


def test_files_grants_and_lineage_are_those_of_the_manifest():
    made = render_page(manifest(), BEFORE)
    lineage = section(made, "Lineage").first("dl")
    terms = dict(
        zip(
            [term.text for term in lineage.all("dt")],
            [what.text for what in lineage.all("dd")],
            strict=True,
        )
    )

    assert section(made, "Files").first("table").rows[0] == [
        "train/part-00000",
        "78",
        "3.59 kB",
        file("train", 78)["sha256"],
    ]
    assert [one.text for one in section(made, "Access").all("li")] == [
        "READWRITE s3://data/UserA/*"
    ]
    assert terms == {
        "Input": "s3://data/UserA/abalone.csv",
        "Version": "3sL4kqtJlcpXroDTDmJ",
        "ETag": "0f343b0931126a20f133d67c2b018a3b",
        "Size": "4.6 kB",
        "Run": "0123456789abcdef0123",
        "Run before it": "ffff456789abcdef0123",
        "Processing job": "grantor-abalone-0123456789abcdef0123-a1",
        "Code": "9d1c7b6e0f2a4c589d1c7b6e0f2a4c58",
        "Contract": "abalone, version 2",
        "Spark": "3.5.6-amzn-1",
        "Started": "2026-11-24 10:00:00Z",
        "Published": "2026-11-24 10:03:12Z",
        "Took": "look 0.4 s, transform 6.2 s",
    }


def test_a_job_by_hand_has_no_name_and_a_bucket_without_versions_no_version():
    lineage = section(
        render_page(manifest(job="", input=manifest()["input"] | {"version": ""})), "Lineage"
    ).text

    assert "Processing jobnone: run by hand" in lineage
    assert "VersionnoneETag" in lineage


def test_a_run_that_staged_the_data_says_why():
    access = section(
        render_page(manifest(access={"mode": "staged", "why": "as ordered", "grants": []})),
        "Access",
    )

    assert [one.text for one in access.all("p")][:2] == [
        "The data was reached with credentials that S3 Access Grants gave out, by the driver, which staged the data.",
        "S3A was not used: as ordered.",
    ]


def test_thousands_of_files_are_counted_not_listed():
    files = section(render_page(manifest(files=[file("train", 1)] * 2_500)), "Files")

    assert (len(files.first("table").rows), files.all("p")[-1].text) == (
        MAX_LISTED_ITEMS,
        "… and 2,400 more files, which the manifest names.",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": NASTY},
        {"job": NASTY},
        {"code": NASTY},
        {"spark": NASTY},
        {"contract": {"version": NASTY}},
        {"started": NASTY},
        {"drift": [NASTY]},
        {"quarantine": {NASTY: 2}},
        {"categories": {NASTY: 98}},
        {"access": {"mode": NASTY, "why": NASTY, "grants": [NASTY]}},
        {"seconds": {NASTY: 1.0}},
        {"columns": {NASTY: column([0, 40, 58, 0], 0.5)}},
        {"files": [file("train", 1) | {"path": NASTY, "sha256": NASTY}]},
        {"input": {"bucket": NASTY, "key": NASTY, "version": NASTY, "etag": NASTY, "bytes": 1}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_names_from_the_data_are_escaped(changes: dict[str, Any]):
    made = render_page(manifest(**changes), BEFORE | changes)

    assert not read(made).all("script")
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;\u202e\x00\ud800" in made
    assert made.encode()


@pytest.mark.parametrize("theme", ["by day", "by night", "on paper"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "card", 7),
        ("soft", "card", 4.5),
        ("soft", "page", 4.5),
        ("now", "card", 3),
        ("odd", "card", 4.5),
        ("good", "card", 4.5),
        ("before", "now", 3),
    ],
)
def test_text_and_pictures_have_enough_contrast(theme: str, front: str, back: str, least: float):
    themes = re.findall(r":root \{(.*?)\}", STYLESHEET, re.DOTALL)
    colours = dict(
        re.findall(r"--([\w-]+): #(\w+)", themes[["by day", "by night", "on paper"].index(theme)])
    )

    assert _contrast(colours[front], colours[back]) >= least


def _contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    whole = colour if len(colour) == 6 else "".join(sign * 2 for sign in colour)
    parts = [int(whole[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_report_of_a_script_has_no_features_and_says_how_many_rows_it_made():
    made = render_page(
        manifest(
            rows={"in": 100, "kept": 98, "data": 12, "quarantine": 2},
            columns={}, categories={}, parameters={"min_orders": 3},
            files=[file("data", 12), file("quarantine", 2)],
        )
    )  # fmt: skip

    assert read(made).first("h1").text == "100 rows in, 12 made by the script, 2 in quarantine"
    assert [part.first("h2").text for part in read(made).all("section")] == [
        "Rows", "Since last time", "Quarantine", "Files", "Access", "Lineage",
    ]  # fmt: skip
    assert "min_orders = 3" in section(made, "Lineage").text


def test_a_batch_shows_how_many_objects_it_has():
    source = manifest()["input"] | {"key": "in/*.csv", "objects": [{}, {}]}

    assert (
        "2, which the manifest names"
        in section(render_page(manifest(input=source)), "Lineage").text
    )


def test_a_unit_and_a_column_without_bins_are_shown():
    contract = manifest()["contract"] | {"units": {"length": "200 mm"}}
    columns = {"length": column([], 0.5) | {"edges": []}}

    features = section(render_page(manifest(contract=contract, columns=columns)), "Features")

    assert features.first("h3").text == "length in 200 mm"
    assert features.all("svg") == []


def test_a_run_of_the_first_format_can_be_the_previous_one():
    before = BEFORE | {"format": 1, "contract": {"version": "2"}, "categories": {"F": 20, "M": 30}}

    table = section(render_page(manifest(), before), "Sex").first("table")

    assert next(row[:4] for row in table.rows) == ["F", "30", "30.6 %", "40 %"]
