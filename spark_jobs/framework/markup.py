"""HTML and SVG as values: everything that is not Markup is text and is escaped."""

import html
from collections.abc import Iterable

from framework.formatting import show_text

# HTML elements without an end tag; SVG elements end as in XML.
VOID_ELEMENTS = {"meta", "br", "col"}


class Markup(str):
    """Text that is already markup. Only this module makes it from data."""

    __slots__ = ()


type Inside = str | Iterable[Inside] | None


def make_tag(name: str, /, *inside: Inside, **attributes: object) -> Markup:
    """Make an element.

    A reserved word as an attribute ends with _, and _ within a name becomes a hyphen; an attribute
    that is None is left out.

    >>> make_tag("td", "a < b", class_="number", data_row=3, title=None)
    '<td class="number" data-row="3">a &lt; b</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape_text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(
        f"<{name}{written}>"
        if name in VOID_ELEMENTS
        else f"<{name}{written}>{join_markup(*inside)}</{name}>"
    )


def join_markup(*inside: Inside) -> Markup:
    """Join the parts; what is not Markup is escaped."""
    return Markup("".join(_flatten_parts(inside)))


def escape_text(content: str) -> Markup:
    r"""Escape a text; invisible characters and those that change the direction are written out.

    >>> escape_text("<b>"), escape_text("a\u202eb"), escape_text("\ud800")
    ('&lt;b&gt;', 'a\\u202eb', '\\ud800')
    """
    if isinstance(content, Markup):
        return content
    return Markup(html.escape(show_text(content)))


def _flatten_parts(inside: Iterable[Inside]) -> Iterable[Markup]:
    for part in inside:
        if isinstance(part, str):
            yield escape_text(part)
        elif part is not None:
            yield from _flatten_parts(part)


def render_table(
    caption: str, heads: Iterable[str], rows: Iterable[Iterable[Inside]], numbers: Iterable[int]
) -> Markup:
    """Make a table with a caption, and heads for columns and rows, for screen readers, too.

    The first cell of a row is its head. `numbers` are the indexes of right-aligned columns; a
    column without a head holds a drawing.
    """
    aligned = set(numbers)
    kinds = [
        ("number" if at in aligned else None if head else "drawn") for at, head in enumerate(heads)
    ]
    top = make_tag(
        "tr", (_render_head(head, kind) for head, kind in zip(heads, kinds, strict=True))
    )
    body = (make_tag("tr", _render_cells(list(row), kinds)) for row in rows)
    made = make_tag(
        "table", make_tag("caption", caption), make_tag("thead", top), make_tag("tbody", body)
    )
    return make_tag("div", made, class_="wide", tabindex=0, role="region", aria_label=caption)


def _render_head(head: str, kind: str | None) -> Markup:
    return make_tag("th", head, scope="col", class_=kind) if head else make_tag("td")


def _render_cells(row: list[Inside], kinds: list[str | None]) -> Markup:
    first = make_tag("th", row[0], scope="row", class_=kinds[0])
    return join_markup(
        first,
        (make_tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
    )


def render_code(code: str) -> Markup:
    """Make a piece of code, such as a key or a hash."""
    return make_tag("code", code)
