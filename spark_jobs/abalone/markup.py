"""HTML and SVG as values: whatever is not markup already is text, and is written so that it stays text."""

import html
from collections.abc import Iterable

# Elements of HTML that have no end; those of SVG end as in XML.
VOID = {"meta", "br", "col"}


class Markup(str):
    """Text that is markup already. Only this module makes it from data."""

    __slots__ = ()


Inside = str | Iterable[str] | None


def tag(name: str, /, *inside: Inside, **attributes: object) -> Markup:
    """An element. A name that Python keeps for itself ends with _, and _ within a name is a hyphen; None leaves an attribute out.

    >>> tag("td", "a < b", class_="number", data_row=3, title=None)
    '<td class="number" data-row="3">a &lt; b</td>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"' for key, value in attributes.items() if value is not None
    )
    return Markup(f"<{name}{said}>" if name in VOID else f"<{name}{said}>{together(*inside)}</{name}>")


def together(*inside: Inside) -> Markup:
    """One thing after another; what is not markup is escaped."""
    return Markup("".join(_parts(inside)))


def text(said: str) -> Markup:
    r"""Text as it is shown: signs that nobody sees, or that turn a line around, are written out.

    >>> text("<b>"), text("a\u202eb"), text("\ud800")
    ('&lt;b&gt;', 'a\\u202eb', '\\ud800')
    """
    if isinstance(said, Markup):
        return said
    seen = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in said)
    return Markup(html.escape(seen))


def _parts(inside: Iterable[Inside]) -> Iterable[Markup]:
    for part in inside:
        if isinstance(part, str):
            yield text(part)
        elif part is not None:
            yield from _parts(part)
