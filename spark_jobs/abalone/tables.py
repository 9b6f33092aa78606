"""Tables that are read by eye and by ear: a caption, heads for columns and rows, numbers to the right."""

from collections.abc import Iterable

from abalone.markup import Inside, Markup, tag, together


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[Inside]], numbers: Iterable[int]) -> Markup:
    """The first cell of a row is its name; columns of numbers stand to the right, a column without a head is drawn."""
    aligned = set(numbers)
    kinds = [("number" if at in aligned else None if head else "drawn") for at, head in enumerate(heads)]
    top = tag("tr", (_head(head, kind) for head, kind in zip(heads, kinds, strict=True)))
    body = (tag("tr", _cells(list(row), kinds)) for row in rows)
    made = tag("table", tag("caption", caption), tag("thead", top), tag("tbody", body))
    return tag("div", made, class_="wide", tabindex=0, role="region", aria_label=caption)


def _head(said: str, kind: str | None) -> Markup:
    return tag("th", said, scope="col", class_=kind) if said else tag("td")


def _cells(row: list[Inside], kinds: list[str | None]) -> Markup:
    first = tag("th", row[0], scope="row", class_=kinds[0])
    return together(first, (tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)))
