"""Figures as people read them; "none" is what was not measured, because there was nothing to measure."""

import math

NOTHING = "none"
SIZES = ("bytes", "kB", "MB", "GB", "TB")


def number(value: float | None) -> str:
    """A whole number in full, another with four digits that count.

    >>> number(4177), number(0.52399), number(1e-05), number(None)
    ('4,177', '0.524', '0.00001', 'none')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == int(value):
        return f"{int(value):,}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def percent(part: float, whole: float) -> str:
    """A part of a whole. What is there is never shown as nothing.

    >>> percent(2, 4177), percent(1, 3), percent(1, 9_999_999), percent(0, 0), percent(7, 7)
    ('0.05 %', '33.3 %', 'under 0.01 %', 'none', '100 %')
    """
    if not whole:
        return NOTHING
    share = 100 * part / whole
    if 0 < share < 0.01:
        return "under 0.01 %"
    return f"{share:.{2 if share < 1 else 1}f}".rstrip("0").rstrip(".") + " %"


def change(now: float | None, before: float | None) -> str:
    """How far a figure has moved.

    >>> change(110, 100), change(0.5, 0.55), change(3, 3), change(3, None), change(3, 0)
    ('+10 %', '-9.09 %', 'as before', '', 'from 0')
    """
    if now is None or before is None:
        return ""
    if now == before:
        return "as before"
    if not before:
        return "from 0"
    moved = 100 * (now - before) / abs(before)
    return f"{moved:+,.{0 if abs(moved) >= 10 else 2}f} %"


def size(octets: int) -> str:
    """Bytes, in thousands of thousands.

    >>> size(812), size(191_873), size(466_000_000)
    ('812 bytes', '192 kB', '466 MB')
    """
    power = min(len(SIZES) - 1, max(0, (len(str(octets)) - 1) // 3))
    return f"{number(float(f'{octets / 1000**power:.3g}'))} {SIZES[power]}"


def duration(seconds: float) -> str:
    """How long something took.

    >>> duration(4.2), duration(42), duration(312), duration(7260)
    ('4.2 s', '42 s', '5 min 12 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def time(iso: str) -> str:
    """A time as it is shown.

    >>> time("2026-11-24T10:00:00.123456+00:00")
    '2026-11-24 10:00:00Z'
    """
    day, _, rest = iso.partition("T")
    return f"{day} {rest[:8]}Z" if rest else iso
