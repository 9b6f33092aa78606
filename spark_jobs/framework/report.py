"""The report of a run as one HTML page: rows, splits, drift, features, files, access and lineage.

The page loads nothing from the network and runs no script. It is made from two manifests alone, so
it contains no row of data.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from framework.charts import Histogram, Series, draw_bar, draw_histogram, draw_split
from framework.formatting import (
    format_change,
    format_number,
    format_percent,
    format_size,
    format_time,
)
from framework.lineage import render_lineage
from framework.markup import Inside, Markup, make_tag, render_code, render_table
from framework.measures import read_categories
from framework.stylesheet import STYLESHEET

Manifest = Mapping[str, Any]
SPLIT_LABELS = {
    "train": "to train on",
    "validation": "to validate with",
    "data": "made by the script",
    "quarantine": "in quarantine",
}
UNTITLED = "Abalone features"  # of manifests of format 1
MAX_LISTED_ITEMS = 100  # files, and grants, that the page lists; the manifest lists all of them


def render_page(manifest: Manifest, before: Manifest | None = None) -> str:
    """Render the report of a run, compared with the previous run if there was one."""
    head = make_tag(
        "head",
        make_tag("meta", charset="utf-8"),
        make_tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        make_tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'",
        ),
        make_tag("title", f"{_read_title(manifest)}, run {manifest['run_id']}"),
        make_tag("style", Markup(STYLESHEET)),
    )
    body = make_tag(
        "body",
        _render_header(manifest),
        make_tag("main", _render_sections(manifest, before)),
        _render_footer(manifest),
    )
    return f"<!doctype html>\n{make_tag('html', head, body, lang='en')}\n"


def _read_title(manifest: Manifest) -> str:
    return str(manifest["contract"].get("title", UNTITLED))


def _render_header(manifest: Manifest) -> Markup:
    source = manifest["input"]
    return make_tag(
        "header",
        make_tag("p", _read_title(manifest), class_="eyebrow"),
        make_tag("h1", _format_headline(manifest["rows"])),
        make_tag(
            "p",
            "From ",
            render_code(f"s3://{source['bucket']}/{source['key']}"),
            f", {format_time(manifest['at'])}",
            class_="soft",
        ),
    )


def _format_headline(rows: Mapping[str, int]) -> str:
    kept = rows["in"] - rows["quarantine"]
    odd = format_number(rows["quarantine"]) if rows["quarantine"] else "none"
    made = (
        f"{format_number(rows['data'])} made by the script"
        if "data" in rows
        else f"{format_number(kept)} made features"
    )
    return (
        f"{format_number(rows['in'])} {'row' if rows['in'] == 1 else 'rows'} in, "
        f"{made}, {odd} in quarantine"
    )


def _render_sections(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    yield _wrap_section("Rows", _render_rows(manifest, before))
    yield _wrap_section("Since last time", _render_drift(manifest, before))
    if manifest["columns"]:
        yield _wrap_section("Features", _render_features(manifest, before))
    past = read_categories(before or {})
    for name, counts in read_categories(manifest).items():
        words = name.replace("_", " ")
        table = _render_categories(words, counts, past.get(name, {}))
        yield _wrap_section(words.capitalize(), table)
    yield _wrap_section("Quarantine", _render_quarantine(manifest))
    yield _wrap_section("Files", _render_files(manifest))
    yield _wrap_section("Access", _render_access(manifest))
    yield _wrap_section("Lineage", render_lineage(manifest, before))


def _wrap_section(title: str, *inside: Inside) -> Markup:
    name = title.lower().replace(" ", "-")
    return make_tag("section", make_tag("h2", title, id=name), inside, aria_labelledby=name)


def _render_rows(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    rows, past = manifest["rows"], before["rows"] if before else {}
    moved = format_change(rows["in"], past.get("in"))
    figures = [
        _render_figure(
            "rows in",
            rows["in"],
            moved and f"{moved} since last time".replace("as before since", "as many as"),
        )
    ]
    splits = {kind: label for kind, label in SPLIT_LABELS.items() if kind in rows}
    for kind, label in splits.items():
        share = format_percent(rows[kind], rows["in"])
        figures.append(_render_figure(label, rows[kind], share, kind))
    yield make_tag("ul", figures, class_="sum")
    if headers := manifest.get("header_lines", 0):
        first = "A header line names" if headers == 1 else f"{headers:,} header lines name"
        yield make_tag(
            "p", f"{first} the columns in order. Header lines are no rows.", class_="soft"
        )
    yield draw_split([(kind, rows[kind]) for kind in splits])


def _render_figure(label: str, count: int, more: str, kind: str | None = None) -> Markup:
    swatch = kind and make_tag("span", class_=f"swatch {kind}", aria_hidden="true")
    note = make_tag("span", f" {more}", class_="soft") if more else None
    return make_tag("li", make_tag("strong", format_number(count)), swatch, label, note)


def _render_drift(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    if before is None:
        yield make_tag(
            "p",
            "This is the first run that was published here: there is nothing to compare it with.",
        )
        return
    yield make_tag(
        "p",
        "Compared with run ",
        render_code(before["run_id"]),
        f" of {format_time(before['at'])}.",
        class_="soft",
    )
    none = "Nothing has drifted: columns, categories and quarantine are much as they were."
    sentences = manifest["drift"] or [none]
    kind = "said" if manifest["drift"] else "said good"
    yield make_tag("ul", (make_tag("li", sentence) for sentence in sentences), class_=kind)


def _render_features(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    if manifest["rows"]["in"] == manifest["rows"]["quarantine"]:
        yield make_tag("p", "No row made features, so there is nothing to measure.")
        return
    yield _render_legend(before, manifest["sampled"])
    yield make_tag(
        "div",
        (_render_column(name, manifest, before) for name in manifest["columns"]),
        class_="shapes",
    )


def _render_legend(before: Manifest | None, sampled: int) -> Markup:
    """Render the legend: the series, the triangles, and what the heights are shares of."""
    now = (make_tag("span", class_="swatch now", aria_hidden="true"), "now, as bars")
    then = (make_tag("span", class_="swatch before", aria_hidden="true"), "last time, as a line")
    series = [now, then] if before else [now]
    heights = (
        "heights are shares of "
        f"{f'a sample, one row in {format_number(sampled)}' if sampled > 1 else 'the rows'}"
    )
    mean = make_tag("span", "\N{BLACK UP-POINTING TRIANGLE} mean")
    spans = (make_tag("span", one) for one in series)
    return make_tag("p", spans, mean, make_tag("span", heights), class_="key")


def _render_column(name: str, manifest: Manifest, before: Manifest | None) -> Markup:
    """Render one column: its chart, its figures in one line, and all of them as a table."""
    column, past = manifest["columns"][name], _find_comparable_column(name, manifest, before)
    words = name.replace("_", " ")
    unit = manifest["contract"].get("units", {}).get(name)
    note = make_tag("span", f" in {unit}", class_="soft") if unit else None
    return make_tag(
        "div", make_tag("h3", words, note),
        _render_shape(words, column, past) if column["edges"] else None,
        make_tag("p", _format_column_figures(column, past), class_="ends"),
        _render_shape_table(words, column, past) if column["edges"] else None,
        class_="shape",
    )  # fmt: skip


def _render_shape(words: str, column: Mapping[str, Any], past: Mapping[str, Any] | None) -> Markup:
    return draw_histogram(_make_histogram(column, past), words)


def _render_shape_table(
    words: str, column: Mapping[str, Any], past: Mapping[str, Any] | None
) -> Markup:
    table = _render_bin_table(words, _make_histogram(column, past).trim_empty_bins())
    return make_tag("details", make_tag("summary", f"{words} in figures"), table)


def _make_histogram(column: Mapping[str, Any], past: Mapping[str, Any] | None) -> Histogram:
    return Histogram(column["edges"], _make_series(column), _make_series(past) if past else None)


def _format_column_figures(column: Mapping[str, Any], past: Mapping[str, Any] | None) -> str:
    """Format the column's figures in one line."""
    moved = format_change(column["mean"], past["mean"]) if past else ""
    mean, low, high = (format_number(column[name]) for name in ("mean", "min", "max"))
    missing = f", missing in {format_percent(column['missing'], 1)} of lines"
    figures = f"mean {mean}{moved and f' ({moved})'}, from {low} to {high}"
    return figures + (missing if column["missing"] else "")


def _find_comparable_column(
    name: str, manifest: Manifest, before: Manifest | None
) -> Mapping[str, Any] | None:
    """Return the previous run's column if its bins are the same; a new contract may change bins."""
    past = before["columns"].get(name) if before else None
    return (
        past if past and list(past["edges"]) == list(manifest["columns"][name]["edges"]) else None
    )


def _make_series(column: Mapping[str, Any]) -> Series:
    return Series(column["counts"], column["mean"])


def _render_bin_table(words: str, drawn: Histogram) -> Markup:
    heads = ("from", "to", "rows now") + (("rows last time",) if drawn.before else ())
    counts = zip(*(series.counts for series in drawn.list_series()), strict=True)
    rows = (
        (format_number(low), format_number(high), *map(format_number, both))
        for low, high, both in zip(drawn.edges, drawn.edges[1:], counts, strict=False)
    )
    return render_table(f"Rows by {words}", heads, rows, numbers=range(len(heads)))


def _render_categories(words: str, now: Mapping[str, int], past: Mapping[str, int]) -> Markup:
    whole, whole_past = sum(now.values()), sum(past.values())
    heads = (words, "rows", "share") + (("share last time",) if past else ()) + ("",)
    rows = (
        (
            name, format_number(now.get(name, 0)), format_percent(now.get(name, 0), whole),
            *([format_percent(past.get(name, 0), whole_past)] if past else []),
            draw_bar(
                now.get(name, 0), whole, past.get(name, 0) / whole_past if whole_past else None
            ),
        )
        for name in sorted({*now, *past})
    )  # fmt: skip
    return render_table(
        f"Lines that can be read, by {words}", heads, rows, numbers=range(1, len(heads) - 1)
    )


def _render_quarantine(manifest: Manifest) -> Iterator[Markup]:
    if not manifest["quarantine"]:
        yield make_tag("p", "Every line kept to the contract.")
        return
    yield make_tag(
        "p",
        "These lines made no features. They stand in ",
        render_code("quarantine/"),
        " as they came, each after its reason.",
    )
    reasons = sorted(manifest["quarantine"].items(), key=lambda one: (-one[1], one[0]))
    odd = sum(manifest["quarantine"].values())
    rows = (
        (
            reason,
            format_number(count),
            format_percent(count, odd),
            draw_bar(count, odd, kind="quarantine"),
        )
        for reason, count in reasons
    )
    yield render_table(
        "Lines in quarantine, by reason", ("reason", "lines", "share", ""), rows, numbers=(1, 2)
    )


def _render_files(manifest: Manifest) -> Iterator[Markup]:
    files = manifest["files"]
    heads = ("file", "rows", "size", "SHA-256")
    rows = (
        (
            render_code(one["path"]),
            format_number(one["rows"]),
            format_size(one["bytes"]),
            render_code(one["sha256"]),
        )
        for one in files[:MAX_LISTED_ITEMS]
    )
    yield render_table("Files of this run", heads, rows, numbers=(1, 2))
    yield from _render_remainder(len(files), "files")


def _render_access(manifest: Manifest) -> Iterator[Markup]:
    access = manifest["access"]
    how = {
        "s3a": "request by request, by Spark's S3A",
        "staged": "by the driver, which staged the data",
    }
    yield make_tag(
        "p",
        "The data was reached with credentials that S3 Access Grants gave out, "
        f"{how.get(access['mode'], access['mode'])}.",
    )
    if access["why"]:
        yield make_tag("p", f"S3A was not used: {access['why']}.", class_="soft")
    yield make_tag("p", "What the job itself asked for, and was given:")
    yield make_tag(
        "ul",
        (make_tag("li", render_code(grant)) for grant in access["grants"][:MAX_LISTED_ITEMS]),
        class_="said good",
    )
    yield from _render_remainder(len(access["grants"]), "grants")


def _render_remainder(count: int, what: str) -> Iterator[Markup]:
    if count > MAX_LISTED_ITEMS:
        yield make_tag(
            "p",
            f"… and {format_number(count - MAX_LISTED_ITEMS)} more {what}, which the "
            "manifest names.",
            class_="soft",
        )


def _render_footer(manifest: Manifest) -> Markup:
    return make_tag(
        "footer",
        make_tag(
            "p",
            "Made from ",
            render_code("_manifest.json"),
            f" of run {manifest['run_id']}, which holds the same figures.",
        ),
    )
