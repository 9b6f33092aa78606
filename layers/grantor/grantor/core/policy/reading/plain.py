"""What YAML takes a word for that stands without quotes, where its author means a text.

YAML 1.1 (which most programs read) has more such words than 1.2 (which most editors check): whoever is surprised by either
is told to write quotes. https://yaml.org/type/ lists those of 1.1.
"""

import re

from grantor.core.problem import Fault, shown

KINDS = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), reader, kind)
    for pattern, reader, kind in (
        ("y|yes|on", "YAML 1.1", "true"),
        ("n|no|off", "YAML 1.1", "false"),
        ("true|false", "YAML", "a truth value"),
        ("~|null", "YAML", "nothing at all"),
        ("0[0-7_]+", "YAML 1.1", "an octal number"),
        (r"\d{4}-\d\d?-\d\d?([t\s].*)?", "YAML 1.1", "a date"),
        (r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?", "YAML 1.1", "a number in base 60"),
        (r"[-+]?(\.\d[\d_]*|\d[\d_]*(\.[\d_]*)?)(e[-+]?\d+)?|0[box][\da-f_]+|[-+]?\.inf|\.nan", "YAML", "a number"),
        ("<<|=", "YAML 1.1", "a sign of its own"),
    )
)
SUSPICIOUS = frozenset("0123456789+-.~<=yYnNoOtTfF")


def misread(word: str) -> Fault | None:
    """What goes wrong if `word` stands without quotes; None if every YAML reads the text that is written.

    >>> print(misread("no").why)
    YAML 1.1 takes it for false, and a text is wanted here
    >>> print(misread("0123").remedy, misread("user*"))
    write "0123" None
    """
    if word[:1] not in SUSPICIOUS:
        return None
    for pattern, reader, kind in KINDS:
        if pattern.fullmatch(word):
            why = f"{reader} takes it for {kind}, and a text is wanted here"
            return Fault(f"{shown(word)} stands without quotes", why, f'write "{word}"')
    return None
