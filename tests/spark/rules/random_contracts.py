"""Contracts that nobody has thought of, and lines that nearly keep to them: the same for the same seed."""

import json
import random
from typing import Any

from framework.contract import Column, Contract
from framework.descriptor import Descriptor
from framework.parse_contract import parse_contract
from tests.spark.rules.dirty_lines import NUMBERS, SIGNS

# What the five contracts of a run differ in: format, delimiter, whether cells may be quoted.
KINDS = (
    {"format": "csv", "dialect": {"header": False}, "quoted": False},
    {"format": "csv", "dialect": {"delimiter": ";"}},
    {"format": "jsonl"},
    {"format": "csv", "dialect": {"delimiter": "|", "header": False}, "quoted": False},
    {"format": "csv"},
)
WORDS = ("a", "b", "basic", "pro", "plus", "A B", "x.y", "é", "1", "N", "-", "(?)", "\U0001f41a")
TEXTS = (
    "", " ", "x", "Ann", 'say "hi"', "a,b", "a;b", "a|b", "NA", "\u00e9\u00e9", "\U0001f41a" * 3,
    "\ufffd", "\x1f", "AB12", "ab12", "A" * 40, "tab\tin", '"', '""', "back\\slash", "\\n", "\x85",
)  # fmt: skip
DATES = (
    "2024-02-29", "2023-02-29", "1999-12-31", "0001-01-01", "0000-01-01", "2024-2-1", "2024-13-01",
    "20240101", "2024-01-01T00:00:00Z", "9999-12-31", "2024-04-31", "", "today", "1582-10-10",
)  # fmt: skip
TIMES = (
    "2024-02-29T23:59:59Z", "2024-02-29T23:59:59", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z",
    "2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.1234567Z", "2024-01-01 00:00:00", "",
    "2024-01-01T00:00:60Z", "2024-01-01T12:00:00+01:00", "1969-07-20T20:17:40Z",
)  # fmt: skip
TRUTHS = ("true", "false", "TRUE", "0", "1", "yes", "no", "", "NA", "True ", "2")
PATTERNS = ("[A-Z]{2}[0-9]+", "\\d{1,3}|x", "(?:a|b)+\\s?.*", "[^0-9]*")


def build_contract(seed: int) -> Contract:
    """Build one of the contracts of a seed."""
    chance = random.Random(seed)
    fields = [_build_field(chance, at) for at in range(chance.randint(3, 12))]
    fields.append(_require(_build_number(chance, "label"), required=True))
    chance.shuffle(fields)
    kind = dict(KINDS[seed % len(KINDS)])
    usable = [one for one in fields if one["name"] != "label"]
    features = [one for field in usable for one in _build_features(chance, field)]
    numeric = [one["name"] for one in usable if one["type"] in ("number", "integer")]
    if len(numeric) > 1:
        features.append({"ratio": numeric[:2]})
    own = {"version": "1", "label": "label", "features": features or [_pick_label_twin(fields)]}
    if "quoted" in kind:
        own["quoted"] = kind.pop("quoted")
    values = {
        "name": f"random-{seed}", "path": "data.csv", **kind,
        "schema": {"missingValues": chance.choice(([""], ["", "NA"], ["NA", "-1"])), "fields": fields},
        "grantor": own,
    }  # fmt: skip
    return parse_contract(Descriptor("random.json", values))


def _pick_label_twin(fields: list[dict[str, Any]]) -> Any:
    fields.append({"name": "more", "type": "number"})
    return "more"


def _require(field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return field | {"constraints": {"required": required, **field.get("constraints", {})}}


def _build_field(chance: random.Random, at: int) -> dict[str, Any]:
    name = f"{chance.choice(('c', 'Some name ', 'a.b_', 'x-'))}{at}"
    build = chance.choice(
        (_build_number, _build_number, _build_number, _build_enum, _build_text, _build_other)
    )
    return _require(build(chance, name), required=chance.random() < 0.6)


def _build_number(chance: random.Random, name: str) -> dict[str, Any]:
    low = chance.choice((None, 0, -5, 1, 0.5))
    high = chance.choice((None, 10, 2.5, 60, 1000000))
    ends = {
        chance.choice(("minimum", "exclusiveMinimum")): low,
        chance.choice(("maximum", "exclusiveMaximum")): high,
    }
    limits = {key: end for key, end in ends.items() if end is not None}
    return {"name": name, "type": chance.choice(("number", "integer")), "constraints": limits}


def _build_enum(chance: random.Random, name: str) -> dict[str, Any]:
    words = chance.sample(WORDS, chance.randint(1, 6))
    return {"name": name, "type": "string", "constraints": {"enum": words}}


def _build_text(chance: random.Random, name: str) -> dict[str, Any]:
    rules: dict[str, Any] = chance.choice(
        ({}, {"minLength": 2}, {"maxLength": 3}, {"pattern": chance.choice(PATTERNS)})
    )
    return {"name": name, "type": "string", "constraints": rules}


def _build_other(chance: random.Random, name: str) -> dict[str, Any]:
    return chance.choice(
        (
            {"name": name, "type": "boolean"},
            {"name": name, "type": "date", "constraints": {"minimum": "1990-01-01"}},
            {"name": name, "type": "date"},
            {"name": name, "type": "datetime", "constraints": {"maximum": "2024-06-01T00:00:00Z"}},
        )
    )


def _build_features(chance: random.Random, field: dict[str, Any]) -> list[Any]:
    name, limits = field["name"], field["constraints"]
    if "enum" in limits:
        baseline = {"baseline": limits["enum"][0]} if len(limits["enum"]) > 1 else {}
        return [{"one_hot": name, **chance.choice(({}, baseline))}]
    if field["type"] in ("date", "datetime"):
        return [{part: name} for part in ("year", "month", "day", "weekday", "days")]
    if field["type"] == "boolean":
        return [name]
    if field["type"] == "string":
        return []
    low = min((limits.get(key, 9) for key in ("minimum", "exclusiveMinimum")), default=9)
    log = [{"log": name}] if 0 <= low < 9 else []
    return [chance.choice((name, {"number": name, "missing": -1})), *log]


def build_rows(contract: Contract, count: int, seed: int) -> list[str]:
    """Build so many lines; some are good."""
    chance = random.Random(seed)
    return [_build_line(contract, chance) for _ in range(count)]


def _build_line(contract: Contract, chance: random.Random) -> str:
    if chance.random() < 0.04:
        return chance.choice(_list_odd_lines(contract))
    cells = [_build_good(column, chance) for column in contract.columns]
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        at = chance.randrange(len(cells))
        cells[at] = chance.choice((*NUMBERS, *TEXTS, *WORDS, *DATES, *TIMES, *TRUTHS))
    if chance.random() < 0.03:
        cells = chance.choice((cells[1:] or [""], [*cells, "0"]))
    line = _join(contract, cells, chance)
    for _ in range(chance.choice((0, 0, 0, 0, 0, 1, 2))):
        at = chance.randint(0, len(line))
        line = line[:at] + chance.choice(SIGNS) + line[at:]
    return line + chance.choice(("", "", "", "\r"))


def _list_odd_lines(contract: Contract) -> tuple[str, ...]:
    sign = contract.delimiter
    names = sign.join(contract.names)
    half = sign.join(f'"{name}"' for name in contract.names)
    return (
        "", " ", "\t", "\r", names, names.upper(), half, contract.names[0] + sign, sign, sign * 3, '"',
        '""', '"a', 'a"b', "{}", "{", "[]", "null", '{"a": 1}', "{} x", '{"label": {"a": 1}}',
        '{"label": "\\ud800"}', '{"label": 1, "label": 2}', '{"lab\\u0065l": 1}', '{"label":}',
        f'{{"{contract.names[0]}": null}}', '{"label": 1,}', "\ufeff{}", f"\ufeff{names}",
    )  # fmt: skip


def _build_good(column: Column, chance: random.Random) -> str:
    if not column.required and chance.random() < 0.15:
        return ""
    if column.words:
        return chance.choice(column.words)
    if column.is_numeric:
        low = float(column.lower.value) if column.lower else -100.0
        high = float(column.upper.value) if column.upper else 1000.0
        value = chance.uniform(low, high)
        return str(round(value) if column.type == "integer" else round(value, chance.randint(0, 9)))
    if column.type == "date":
        return f"{chance.randint(1980, 2030)}-{chance.randint(1, 12):02}-{chance.randint(1, 31):02}"
    if column.type == "datetime":
        day = f"{chance.randint(1980, 2030)}-{chance.randint(1, 12):02}-{chance.randint(1, 31):02}"
        return f"{day}T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:30Z"
    return chance.choice(TEXTS)


def _join(contract: Contract, cells: list[str], chance: random.Random) -> str:
    if contract.is_delimited:
        return contract.delimiter.join(
            _quote(cell, chance) if contract.quoted and chance.random() < 0.3 else cell
            for cell in cells
        )
    pairs = [
        f"{json.dumps(name, ensure_ascii=False)}{chance.choice((':', ' : '))}{_encode(cell, chance)}"
        for name, cell in zip(contract.names, cells, strict=False)
    ]
    chance.shuffle(pairs)
    return f"{{{', '.join(pairs)}}}"


def _quote(cell: str, chance: random.Random) -> str:
    doubled = cell.replace('"', '""') if chance.random() < 0.9 else cell
    return f'"{doubled}"'


def _encode(cell: str, chance: random.Random) -> str:
    if not cell and chance.random() < 0.5:
        return "null"
    if chance.random() < 0.4:
        return cell
    return json.dumps(cell, ensure_ascii=chance.random() < 0.5)
