"""Bytes become text: UTF-8 and nothing else, with no character in it that an editor does not show."""

import re

from grantor.core.problem import Fault, Findings, Spot

LARGEST = 1_000_000  # characters; a larger file is a mistake, and reading it would cost the run its time
MARKS = ((b"\xef\xbb\xbf", "UTF-8 with a byte order mark"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
# What YAML 1.1 forbids, and what it takes for the end of a line though no editor does (U+0085, U+2028, U+2029, a lone CR).
UNSEEN = re.compile("\t|\r(?!\\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def decoded(body: bytes, findings: Findings) -> str | None:
    """The text of a file, lines ended by a line feed or by CR LF; None, with the reasons in `findings`, where it has none."""
    if fault := _foreign(body):
        findings.refuse(Spot(1, 1), *fault)
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        findings.refuse(_after(body[: wrong.start].decode()), *_not_utf8(body[wrong.start]))
        return None
    return text if _plain(text, findings) else None


def _foreign(body: bytes) -> Fault | None:
    for mark, called in MARKS:
        if body.startswith(mark):
            return Fault(f"the file is {called}", "a policy file is plain UTF-8", "save it as UTF-8 without byte order mark")
    return _too_large(len(body) // 4)  # UTF-8 has at most four bytes a character


def _too_large(characters: int) -> Fault | None:
    if characters <= LARGEST:
        return None
    return Fault(f"the file has more than {LARGEST:,} characters", "a run reads every file anew", "split it into several files")


def _not_utf8(byte: int) -> Fault:
    return Fault(f"byte 0x{byte:02x} is not UTF-8", "a policy file is plain UTF-8", "save it as UTF-8")


def _plain(text: str, findings: Findings) -> bool:
    if fault := _too_large(len(text)):
        findings.refuse(Spot(1, 1), *fault)
        return False
    before = len(findings.problems)
    for number, line in enumerate(text.split("\n"), 1):
        if found := UNSEEN.search(line):  # one message a line: a file indented by tabs has one mistake in each
            findings.refuse(Spot(number, found.start() + 1), *_unseen(found[0]))
    return len(findings.problems) == before


def _unseen(character: str) -> Fault:
    if character == "\t":
        return Fault("a tab", "YAML forbids it where it matters, and editors show it in many widths", "write spaces")
    if character == "\r":
        return Fault("a carriage return without line feed", "only some readers end the line there", "end lines by LF or CR LF")
    return Fault(
        f"the character U+{ord(character):04X}", "it can not be seen, and YAML forbids it or ends the line there", "delete it"
    )


def _after(text: str) -> Spot:
    """Where the character stands that follows `text`."""
    return Spot(text.count("\n") + 1, len(text) - text.rfind("\n"))
