"""The forms of single values as regular expressions that Java and Python read alike.

Groups are possessive, so that matching never backtracks, and Java matches them without recursion.
Digits are not possessive: Java is a third faster that way, and what may follow them is never a
digit. The end is not `$`, which in Java also matches before U+0085.
"""

import re
from collections.abc import Iterable

from framework.contract import Column

END = r"(?![\s\S])"
BLANK = rf"^[ \t]*+{END}"
NUMBER = r"[0-9]+(?:\.[0-9]+)?+"
DATE = r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
DATETIME = rf"{DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,6}})?+Z?"
REPLACEMENT = "\ufffd"  # what Java reads for bytes that are not UTF-8
# What a pattern of a contract may consist of: what Java and Python read alike.
PATTERN_PART = re.compile(
    r"\\[dws.\\/+*?()\[\]{}|^$-]"  # an escape, in ASCII alone
    r"|\[\^?(?:\\[dws.\\/+*?()\[\]{}|^$-]|[^\\\[\]&~])+\]"  # a class
    r"|\(\?:|\((?!\?)|\)|\||[?*+]|\{[0-9]{1,4}(?:,(?:[0-9]{1,4})?)?\}"
    r"|[^\\\[\]{}()|?*+^$]"
)
MAX_PATTERN_CHARS = 500


def escape_word(word: str) -> str:
    """Return a pattern for a text, in which each sign that may mean something is escaped."""
    return "".join(
        sign if re.fullmatch("[A-Za-z0-9]", sign) or ord(sign) > 0xFFFF else f"\\u{ord(sign):04x}"
        for sign in word
    )


def join_words(words: Iterable[str]) -> str:
    """Return alternatives for the words, longer ones first."""
    return "|".join(escape_word(word) for word in sorted(words, key=lambda one: (-len(one), one)))


def build_cell_pattern(column: Column, separator: str, missing_words: tuple[str, ...]) -> str:
    """Return the pattern of a cell that has the form of the column's type.

    A required cell is none of the missing words; another one may be one of them.
    """
    form, sign = _build_form(column, separator), escape_word(separator)
    end = rf"(?={sign}|{END})"
    if not column.required:
        return f"(?:{form}|{join_words(missing_words)}){end}"
    if any(re.fullmatch(form, word) for word in missing_words):
        return f"(?!(?:{join_words(missing_words)}){end}){form}"
    return form


def _build_form(column: Column, separator: str) -> str:
    if words := column.words:
        if all(re.fullmatch("[A-Za-z0-9]", word) for word in words):
            return f"[{''.join(words)}]"
        return f"(?:{join_words(words)})"
    if column.is_numeric:
        return f"-?{NUMBER}" if column.is_signed else NUMBER
    if column.type == "date":
        return DATE
    if column.type == "datetime":
        return DATETIME
    return rf"[^{escape_word(separator)}\ufffd]*+"


def find_pattern_fault(pattern: object) -> str:
    """Return why Java and Python may read a pattern differently; "" if they read it alike.

    >>> find_pattern_fault("[A-Z]{2}[0-9]+"), find_pattern_fault("(?=a)b")[:24]
    ('', '"(?=a)b" has a part that')
    """
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
        return f"this is no text of up to {MAX_PATTERN_CHARS} characters"
    at = 0
    while at < len(pattern):
        part = PATTERN_PART.match(pattern, at)
        if part is None:
            return f'"{pattern}" has a part that is not supported: {pattern[at : at + 8]}'
        at = part.end()
    try:
        re.compile(pattern, re.ASCII | re.DOTALL)
    except re.error as error:
        return f'"{pattern}" is no regular expression: {error}'
    return ""
