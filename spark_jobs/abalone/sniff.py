"""What a file is by its first bytes, whatever it is called."""

FIRST = 1 << 16  # bytes that are looked at
KINDS = {
    b"\x1f\x8b": "gzip, compressed",
    b"PK\x03\x04": "a zip archive, or a workbook of Excel",
    b"BZh": "bzip2, compressed",
    b"\x28\xb5\x2f\xfd": "zstd, compressed",
    b"\xfd7zXZ\x00": "xz, compressed",
    b"PAR1": "Parquet",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}


def odd(first: bytes) -> str:
    r"""What keeps the first bytes from being lines of plain text; empty if nothing does.

    >>> odd(b"M,0.455,0.365"), odd(b"\x1f\x8b\x08\x00"), odd(b"M,0\x00455")
    ('', 'gzip, compressed', 'no text: it has zero bytes in it')
    """
    kind = next((name for sign, name in KINDS.items() if first.startswith(sign)), "")
    return kind or ("no text: it has zero bytes in it" if b"\x00" in first else "")
