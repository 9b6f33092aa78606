"""The regular expressions for the lines of a contract, as text that Java and Python read alike."""

from functools import cache
from itertools import groupby

from framework.contract import Contract
from framework.value_forms import END, build_cell_pattern, escape_word

UNIT_SEPARATOR = "\x1f"  # between cells that have been taken out of quotes or out of JSON
NAME_MARGIN = r'[ \t"]*+'  # around the name of a column in a header
# A cell may be quoted; within the quotes, a quote is doubled.
QUOTED_CELL = r'"[^"]*+(?:""[^"]*+)*+"'
SPACE = r"[ \t\r]*+"
KEY = r'"[^"\\\x00-\x1f]*+"'
_HEX = "[0-9A-Fa-f]"
_ESCAPE = (
    rf'\\(?:["\\/bfnrt]|u(?:[0-9A-CE-Fa-ce-f]{_HEX}{{3}}|[Dd][0-7]{_HEX}{{2}}'
    rf"|[Dd][89ABab]{_HEX}{{2}}\\u[Dd][C-Fc-f]{_HEX}{{2}}))"
)
JSON_STRING = rf'"[^"\\\x00-\x1f]*+(?:{_ESCAPE}[^"\\\x00-\x1f]*+)*+"'
JSON_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
JSON_VALUE = f"(?:{JSON_STRING}|{JSON_NUMBER}|true|false|null)"
JSON_PAIR = f"{KEY}{SPACE}:{SPACE}{JSON_VALUE}"
JSON_LINE = (
    rf"^{SPACE}\{{{SPACE}(?:{JSON_PAIR}{SPACE}(?:,{SPACE}{JSON_PAIR}{SPACE})*+)?+\}}{SPACE}{END}"
)


def get_separator(contract: Contract) -> str:
    """Return what stands between the cells of a line once they are taken out of their quotes."""
    return contract.delimiter if contract.is_plain else UNIT_SEPARATOR


@cache
def build_line_pattern(contract: Contract) -> str:
    """Return the pattern of a line whose cells all have the form of their type."""
    separator = get_separator(contract)
    sign = escape_word(separator) if separator != "," else ","
    forms = [
        build_cell_pattern(column, separator, contract.missing_words) for column in contract.columns
    ]
    parts = [forms[0]]
    for form, same in groupby(forms[1:]):
        count = len(list(same))
        parts.append(f"{sign}{form}" if count == 1 else f"(?:{sign}{form}){{{count}}}+")
    return f"^{''.join(parts)}{END}"


@cache
def build_prefix_pattern(contract: Contract) -> str:
    """Return the pattern of the leading cells that have the form of their type.

    It matches each of them with the separator behind it, so the number of separators in the match
    is the index of the first cell that has another form.
    """
    separator = get_separator(contract)
    sign, pattern = escape_word(separator), ""
    for column in reversed(contract.columns[:-1]):
        form = build_cell_pattern(column, separator, contract.missing_words)
        pattern = f"(?:{form}{sign}{pattern})?+"
    return f"^{pattern}"


@cache
def build_header_patterns(contract: Contract) -> tuple[str, str]:
    r"""Return the patterns of a line that names the first column, and of a header in order.

    Each part of a file that was put together may begin with a byte order mark.
    """
    sign = escape_word(contract.delimiter)
    names = [_match_name(name) for name in contract.names]
    first = names[0] + (sign if len(names) > 1 else END)
    return rf"^\uFEFF?+{first}", rf"^\uFEFF?+{sign.join(names)}{END}"


def _match_name(name: str) -> str:
    """Return a pattern for the column's name in any case, with or without quotes."""
    words = "".join(
        "[ _.-]*+" if sign in "_ .-" else f"[{sign.upper()}{sign.lower()}]" for sign in name
    )
    return f"{NAME_MARGIN}{words}{NAME_MARGIN}"
