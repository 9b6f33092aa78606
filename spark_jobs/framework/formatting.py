"""Format figures and texts for people.

"none" stands for a figure of nothing, such as the mean of no rows.
"""

import math
import sys
from typing import TextIO

NOTHING = "none"
SIZES = ("bytes", "kB", "MB", "GB", "TB")
# Printable characters that nobody sees: the same as in the layer's core/diagnostics.py.
INVISIBLE_CODE_POINTS = frozenset(
    {
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)


def show_text(text: str) -> str:
    r"""Show a text in one line: each character that is invisible, moves a cursor or changes the
    direction of its neighbours is shown as its escape.

    >>> print(show_text("naïve 🙂"), show_text("a\u202eb\x1b\n"), show_text("\ud800"))
    naïve 🙂 a\u202eb\x1b\n \ud800
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        sign
        if sign.isprintable() and ord(sign) not in INVISIBLE_CODE_POINTS
        else sign.encode("unicode_escape").decode()
        for sign in text
    )


def print_line(text: str, stream: TextIO | None = None) -> None:
    """Print one line, whatever is in the text; by default to standard output."""
    print(show_text(text), file=stream or sys.stdout, flush=True)


def format_number(value: float | None) -> str:
    """Format a whole number in full, any other with four significant digits.

    >>> format_number(4177), format_number(0.52399), format_number(1e-05), format_number(None)
    ('4,177', '0.524', '0.00001', 'none')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == int(value):
        return f"{int(value):,}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def format_percent(part: float, whole: float) -> str:
    """Format a part of a whole; a small part is never shown as 0.

    >>> format_percent(2, 4177), format_percent(1, 3), format_percent(1, 9_999_999)
    ('0.05 %', '33.3 %', 'under 0.01 %')
    >>> format_percent(0, 0), format_percent(7, 7)
    ('none', '100 %')
    """
    if not whole:
        return NOTHING
    share = 100 * part / whole
    if 0 < share < 0.01:
        return "under 0.01 %"
    return f"{share:.{2 if share < 1 else 1}f}".rstrip("0").rstrip(".") + " %"


def format_change(now: float | None, before: float | None) -> str:
    """Format how far a figure has moved.

    >>> format_change(110, 100), format_change(0.5, 0.55), format_change(3, 3)
    ('+10 %', '-9.09 %', 'as before')
    >>> format_change(3, None), format_change(3, 0)
    ('', 'from 0')
    """
    if now is None or before is None:
        return ""
    if now == before:
        return "as before"
    if not before:
        return "from 0"
    moved = 100 * (now - before) / abs(before)
    return f"{moved:+,.{0 if abs(moved) >= 10 else 2}f} %"


def format_size(octets: int) -> str:
    """Format a number of bytes, in decimal units.

    >>> format_size(812), format_size(191_873), format_size(466_000_000)
    ('812 bytes', '192 kB', '466 MB')
    """
    power = min(len(SIZES) - 1, max(0, (len(str(octets)) - 1) // 3))
    return f"{format_number(float(f'{octets / 1000**power:.3g}'))} {SIZES[power]}"


def format_duration(seconds: float) -> str:
    """Format a duration.

    >>> format_duration(4.2), format_duration(42), format_duration(312), format_duration(7260)
    ('4.2 s', '42 s', '5 min 12 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def format_time(iso: str) -> str:
    """Format an ISO 8601 time in UTC.

    >>> format_time("2026-11-24T10:00:00.123456+00:00")
    '2026-11-24 10:00:00Z'
    """
    day, _, rest = iso.partition("T")
    return f"{day} {rest[:8]}Z" if rest else iso
