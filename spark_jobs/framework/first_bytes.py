"""What the first bytes of a file show: whether it has the format that the contract names."""

import zlib

from framework.contract import Contract
from framework.headers import find_first_line_fault
from framework.lines import split_lines

SNIFFED_BYTES = 1 << 16
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
MAGIC_NUMBERS = {
    GZIP: "gzip, compressed",
    b"PK\x03\x04": "a zip archive, or a workbook of Excel",
    b"BZh": "bzip2, compressed",
    b"\x28\xb5\x2f\xfd": "zstd, compressed",
    b"\xfd7zXZ\x00": "xz, compressed",
    PARQUET: "Parquet",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
FORMAT_NAMES = {"csv": "lines of plain text in UTF-8", "jsonl": "lines of JSON in UTF-8"}
DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def find_first_bytes_fault(first: bytes, contract: Contract) -> str:
    """Return why a file that begins like this breaks the contract, and what to do; "" if not.

    The sentences go on after the name of the file.
    """
    how = f"Upload it as {describe_format(contract)}."
    if not contract.is_text:
        kind = "" if first.startswith(PARQUET) else detect_wrong_type(first) or "not Parquet"
        return f"is {kind}. {how}" if kind else ""
    if contract.compression:
        if not first.startswith(GZIP):
            return f"is {detect_wrong_type(first) or 'not compressed by gzip'}. {how}"
        try:
            first = zlib.decompressobj(31).decompress(first, SNIFFED_BYTES)
        except zlib.error:
            return f"is damaged: gzip cannot decompress it. {how}"
    if kind := detect_wrong_type(first):
        return f"is {kind}. {how}"
    return ""


def find_first_line(first: bytes, contract: Contract) -> str:
    """Return what is wrong with the first line, as a sentence; "" if nothing is."""
    if not contract.is_text:
        return ""
    if contract.compression:
        first = zlib.decompressobj(31).decompress(first, SNIFFED_BYTES)
    return find_first_line_fault(next(split_lines(first), ""), contract)


def describe_format(contract: Contract) -> str:
    """Return what a file has to be, for people."""
    if not contract.is_text:
        return f"Parquet with the columns {', '.join(contract.names)}"
    compressed = ", compressed by gzip" if contract.compression else ""
    sign = DELIMITER_NAMES.get(contract.delimiter, contract.delimiter)
    between = f", {len(contract.columns)} columns with {sign} between"
    cells = between if contract.is_delimited else ""
    return f"{FORMAT_NAMES[contract.format]}{cells}{compressed}"


def detect_wrong_type(first: bytes) -> str:
    r"""Return why the first bytes are not lines of plain text; "" if they are.

    >>> detect_wrong_type(b"M,0.455,0.365"), detect_wrong_type(b"\x1f\x8b\x08\x00")
    ('', 'gzip, compressed')
    >>> detect_wrong_type(b"M,0\x00455")
    'not text: it contains zero bytes'
    """
    kind = next((name for sign, name in MAGIC_NUMBERS.items() if first.startswith(sign)), "")
    return kind or ("not text: it contains zero bytes" if b"\x00" in first else "")
