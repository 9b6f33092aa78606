"""A run's report as one page: what came in, what went where, what has changed since last time, and what it was made from.

The page asks the network for nothing and runs no script. It is made from two manifests and nothing else, so it holds no data row.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from abalone.figures import change, duration, number, percent, size, time
from abalone.look import SHEET
from abalone.markup import Inside, Markup, tag
from abalone.pictures import Histogram, Series, bar, histogram, split
from abalone.tables import table

Manifest = Mapping[str, Any]
SPLITS = {"train": "to train on", "validation": "to validate with", "quarantine": "in quarantine"}
MOST = 100  # files and grants that the page names; the manifest names all of them


def page(manifest: Manifest, before: Manifest | None = None) -> str:
    """The run's report, compared with the run published before it, if there was one. It ends with a line feed."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("title", f"Abalone features, run {manifest['run_id']}"),
        tag("style", Markup(SHEET)),
    )
    body = tag("body", _header(manifest), tag("main", _sections(manifest, before)), _footer(manifest))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(manifest: Manifest) -> Markup:
    source = manifest["input"]
    return tag(
        "header",
        tag("p", "Abalone features", class_="eyebrow"),
        tag("h1", _headline(manifest["rows"])),
        tag("p", "From ", _code(f"s3://{source['bucket']}/{source['key']}"), f", {time(manifest['at'])}", class_="soft"),
    )


def _headline(rows: Mapping[str, int]) -> str:
    kept = rows["train"] + rows["validation"]
    odd = number(rows["quarantine"]) if rows["quarantine"] else "none"
    return f"{number(rows['in'])} {'row' if rows['in'] == 1 else 'rows'} in, {number(kept)} made features, {odd} in quarantine"


def _sections(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    yield _section("Rows", _rows(manifest, before))
    yield _section("Since last time", _drift(manifest, before))
    yield _section("Features", _features(manifest, before))
    yield _section("Sex", _categories(manifest, before))
    yield _section("Quarantine", _quarantine(manifest))
    yield _section("Files", _files(manifest))
    yield _section("Access", _access(manifest))
    yield _section("Lineage", _lineage(manifest, before))


def _section(title: str, *inside: Inside) -> Markup:
    name = title.lower().replace(" ", "-")
    return tag("section", tag("h2", title, id=name), inside, aria_labelledby=name)


def _rows(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    rows, past = manifest["rows"], before["rows"] if before else {}
    moved = change(rows["in"], past.get("in"))
    figures = [_figure("rows in", rows["in"], moved and f"{moved} since last time".replace("as before since", "as many as"))]
    for kind, said in SPLITS.items():
        figures.append(_figure(said, rows[kind], percent(rows[kind], rows["in"]), kind))
    yield tag("ul", figures, class_="sum")
    yield split([(kind, rows[kind]) for kind in SPLITS])


def _figure(said: str, count: int, more: str, kind: str | None = None) -> Markup:
    swatch = kind and tag("span", class_=f"swatch {kind}", aria_hidden="true")
    return tag("li", tag("strong", number(count)), swatch, said, tag("span", f" {more}", class_="soft") if more else None)


def _drift(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    if before is None:
        yield tag("p", "This is the first run that was published here: there is nothing to compare it with.")
        return
    yield tag("p", "Compared with run ", _code(before["run_id"]), f" of {time(before['at'])}.", class_="soft")
    said = manifest["drift"] or ["Nothing has drifted: columns, categories and quarantine are much as they were."]
    yield tag("ul", (tag("li", sentence) for sentence in said), class_="said" if manifest["drift"] else "said good")


def _features(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    kept = manifest["rows"]["train"] + manifest["rows"]["validation"]
    if not kept:
        yield tag("p", "No row made features, so there is nothing to measure.")
        return
    yield _key(before, manifest["sampled"])
    yield tag("div", (_shape(name, manifest, before) for name in manifest["columns"]), class_="shapes")


def _key(before: Manifest | None, sampled: int) -> Markup:
    """Which series is which, what the triangles are, and of what the heights are shares."""
    now = (tag("span", class_="swatch now", aria_hidden="true"), "now, as bars")
    then = (tag("span", class_="swatch before", aria_hidden="true"), "last time, as a line")
    said = [now, then] if before else [now]
    heights = f"heights are shares of {f'a sample, one row in {number(sampled)}' if sampled > 1 else 'the rows'}"
    mean = tag("span", "\N{BLACK UP-POINTING TRIANGLE} mean")
    return tag("p", (tag("span", one) for one in said), mean, tag("span", heights), class_="key")


def _shape(name: str, manifest: Manifest, before: Manifest | None) -> Markup:
    """One measure: its picture, its figures in a line, and all of it as a table."""
    column, past = manifest["columns"][name], _same_bins(name, manifest, before)
    drawn = Histogram(column["edges"], _series(column), _series(past) if past else None)
    words = name.replace("_", " ")
    return tag(
        "div", tag("h3", words), histogram(drawn, words),
        tag("p", _ends(column, past), class_="ends"), tag("details", tag("summary", f"{words} in figures"), _bins(words, drawn.seen())),
        class_="shape",
    )  # fmt: skip


def _ends(column: Mapping[str, Any], past: Mapping[str, Any] | None) -> str:
    """The column's figures in a line."""
    moved = change(column["mean"], past["mean"]) if past else ""
    said = f"mean {number(column['mean'])}{moved and f' ({moved})'}, from {number(column['min'])} to {number(column['max'])}"
    return said + (f", missing in {percent(column['missing'], 1)} of lines" if column["missing"] else "")


def _same_bins(name: str, manifest: Manifest, before: Manifest | None) -> Mapping[str, Any] | None:
    """The column as it was, if it was counted in the same bins; a contract may have changed them."""
    past = before["columns"].get(name) if before else None
    return past if past and list(past["edges"]) == list(manifest["columns"][name]["edges"]) else None


def _series(column: Mapping[str, Any]) -> Series:
    return Series(column["counts"], column["mean"])


def _bins(words: str, drawn: Histogram) -> Markup:
    heads = ("from", "to", "rows now") + (("rows last time",) if drawn.before else ())
    counts = zip(*(series.counts for series in drawn.all()), strict=True)
    rows = (
        (number(low), number(high), *map(number, both))
        for low, high, both in zip(drawn.edges, drawn.edges[1:], counts, strict=False)
    )
    return table(f"Rows by {words}", heads, rows, numbers=range(len(heads)))


def _categories(manifest: Manifest, before: Manifest | None) -> Iterator[Markup]:
    now, past = manifest["categories"], (before or {}).get("categories", {})
    whole, whole_past = sum(now.values()), sum(past.values())
    heads = ("sex", "rows", "share") + (("share last time",) if past else ()) + ("",)
    rows = (
        (
            name, number(now.get(name, 0)), percent(now.get(name, 0), whole),
            *([percent(past.get(name, 0), whole_past)] if past else []),
            bar(now.get(name, 0), whole, past.get(name, 0) / whole_past if whole_past else None),
        )
        for name in sorted({*now, *past})
    )  # fmt: skip
    yield table("Lines that can be read, by sex", heads, rows, numbers=range(1, len(heads) - 1))


def _quarantine(manifest: Manifest) -> Iterator[Markup]:
    if not manifest["quarantine"]:
        yield tag("p", "Every line kept to the contract.")
        return
    yield tag("p", "These lines made no features. They stand in ", _code("quarantine/"), " as they came, each after its reason.")
    reasons = sorted(manifest["quarantine"].items(), key=lambda one: (-one[1], one[0]))
    odd = sum(manifest["quarantine"].values())
    rows = ((reason, number(count), percent(count, odd), bar(count, odd, kind="quarantine")) for reason, count in reasons)
    yield table("Lines in quarantine, by reason", ("reason", "lines", "share", ""), rows, numbers=(1, 2))


def _files(manifest: Manifest) -> Iterator[Markup]:
    files = manifest["files"]
    heads = ("file", "rows", "size", "SHA-256")
    rows = ((_code(one["path"]), number(one["rows"]), size(one["bytes"]), _code(one["sha256"])) for one in files[:MOST])
    yield table("Files of this run", heads, rows, numbers=(1, 2))
    yield from _more(len(files), "files")


def _access(manifest: Manifest) -> Iterator[Markup]:
    access = manifest["access"]
    how = {"s3a": "request by request, by Spark's S3A", "staged": "by the driver, which staged the data"}
    yield tag(
        "p", f"The data was reached with credentials that S3 Access Grants gave out, {how.get(access['mode'], access['mode'])}."
    )
    if access["why"]:
        yield tag("p", f"S3A was not used: {access['why']}.", class_="soft")
    yield tag("p", "What the job itself asked for, and was given:")
    yield tag("ul", (tag("li", _code(grant)) for grant in access["grants"][:MOST]), class_="said good")
    yield from _more(len(access["grants"]), "grants")


def _more(count: int, what: str) -> Iterator[Markup]:
    if count > MOST:
        yield tag("p", f"… and {number(count - MOST)} more {what}, which the manifest names.", class_="soft")


def _lineage(manifest: Manifest, before: Manifest | None) -> Markup:
    source = manifest["input"]
    said: list[tuple[str, Inside]] = [
        ("Input", _code(f"s3://{source['bucket']}/{source['key']}")),
        ("Version", _code(source["version"] or "none")),
        ("ETag", _code(source["etag"])),
        ("Size", size(source["bytes"])),
        ("Run", _code(manifest["run_id"])),
        ("Run before it", _code(before["run_id"]) if before else "none"),
        ("Processing job", _code(manifest["job"] or "none: run by hand")),
        ("Code", _code(manifest["code"])),
        ("Contract", f"version {manifest['contract']['version']}"),
        ("Spark", manifest["spark"]),
        ("Started", time(manifest["started"])),
        ("Published", time(manifest["at"])),
        ("Took", ", ".join(f"{what} {duration(seconds)}" for what, seconds in manifest["seconds"].items())),
    ]
    return tag("dl", ((tag("dt", term), tag("dd", what)) for term, what in said))


def _footer(manifest: Manifest) -> Markup:
    return tag(
        "footer", tag("p", "Made from ", _code("_manifest.json"), f" of run {manifest['run_id']}, which holds the same figures.")
    )


def _code(said: str) -> Markup:
    return tag("code", said)
