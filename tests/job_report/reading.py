"""A page as a tree, read strictly: whatever is opened is closed, in order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "col"}


@dataclass
class Element:
    """What stands in the page, with its words and elements in order."""

    name: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    inside: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.inside)

    def all(self, name: str = "", kind: str = "") -> list["Element"]:
        """The elements below this one with the name, and with the class."""
        return [
            one for one in self._below() if name in ("", one.name) and kind in ("", *one.classes)
        ]

    def first(self, name: str, kind: str = "") -> "Element":
        return self.all(name, kind)[0]

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()

    @property
    def rows(self) -> list[list[str]]:
        """A table's cells, but for those of its head."""
        return [
            [cell.text for cell in row.inside if isinstance(cell, Element)]
            for row in self.first("tbody").all("tr")
        ]

    def _below(self) -> Iterator["Element"]:
        for part in self.inside:
            if isinstance(part, Element):
                yield part
                yield from part._below()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(page: str) -> Element:
    """The page's html element."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1
    return reader.open[0].first("html")


def section(page: str, title: str) -> Element:
    """The part of the page below this title."""
    return next(part for part in read(page).all("section") if part.first("h2").text == title)
