"""What the server's DynamoDB takes and AWS's refuses, and the ways in which a batch comes back in part.

Refused: paths of an update that overlap, a section used twice, a filter of a query on its own key, a transaction's item
without its key. The texts are DynamoDB's.
"""

import json
from collections.abc import Callable, Container, Iterator
from contextvars import ContextVar
from itertools import count
from typing import Any

from sandbox.server.seams import use, wrap

TABLES = "ministack.services.dynamodb"
WHOLE_BATCH = 16 * 2**20  # bytes that one BatchGetItem answers (API reference)
SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
WORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")
# Set by the fault `unprocessed`: of the batch in hand only the first half is done.
HALVED: ContextVar[bool] = ContextVar("sandbox_halved_batch", default=False)
Data = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Data], Answer]
Path = list[str | int]
_tables = use(TABLES, "_tables")
_name_of = use(TABLES, "_normalize_table_name", "value")
_keys_of = use(TABLES, "_resolve_index_keys", "table, index_name")
_item_of = use(TABLES, "_get_item_by_key", "table, key")
_size_of = use(TABLES, "_item_size_bytes", "item")
_tokens = use(TABLES, "_tokenize", "expr")
_parts = use(TABLES, "_split_by_comma", "tokens")
_path = use(TABLES, "_parse_path_from_tokens", "tokens, attr_names")
_cancelled = use(TABLES, "_transact_validation_cancel_response", "total, val_reasons")
_error = use("ministack.core.responses", "error_response_json")
_json = use("ministack.core.responses", "json_response")


def install() -> None:
    """Look at each request before the server's own handler does."""
    for name, make in {
        "_update_item": _refusing(_update_mistake),
        "_query": _refusing(_filter_mistake),
        "_transact_write_items": _checking_transaction,
        "_batch_write_item": _partly("UnprocessedItems"),
        "_batch_get_item": _partly("UnprocessedKeys"),
    }.items():
        wrap(TABLES, name, "data", make)


def _refusing(mistake: Callable[[Data], str | None]) -> Callable[[Handler], Handler]:
    def make(original: Handler) -> Handler:
        def handle(data: Data) -> Answer:
            text = mistake(data)
            return _error("ValidationException", text, 400) if text else original(data)

        return handle

    return make


def _update_mistake(data: Data) -> str | None:
    """What is wrong with an update expression before any item is looked at."""
    sections: dict[str, list[Any]] = {}
    named: list[Any] = []
    for token in _tokens(data.get("UpdateExpression") or ""):
        word = str(token[1]).upper()
        if token[0] == "IDENT" and word in SECTIONS:
            if word in sections:
                return f'Invalid UpdateExpression: The "{word}" section can only be used once in an update expression;'
            named = sections[word] = []
        elif token[0] != "EOF":
            named.append(token)
    names = data.get("ExpressionAttributeNames") or {}
    return _overlap([_path(part, names) for section in sections.values() for part in _parts(section)])


def _overlap(paths: list[Path]) -> str | None:
    for number, one in enumerate(paths):
        for two in paths[:number]:
            if one[: len(two)] == two or two[: len(one)] == one:
                shown = [f"[{', '.join(map(str, path))}]" for path in (two, one)]
                return (
                    "Invalid UpdateExpression: Two document paths overlap with each other; "
                    f"must remove or rewrite one of these paths; path one: {shown[0]}, path two: {shown[1]}"
                )
    return None


def _filter_mistake(data: Data) -> str | None:
    """A query's filter may not name the key of what is queried: the key condition is for that."""
    table = _tables.get(_name_of(data.get("TableName")))
    if not table or not data.get("FilterExpression"):
        return None
    keys = _keys_of(table, data.get("IndexName"))[:2]
    names = data.get("ExpressionAttributeNames") or {}
    named = next((name for name in _named(_tokens(data["FilterExpression"]), names) if name in keys), None)
    return f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {named}" if named else None


def _named(tokens: list[Any], names: dict[str, str]) -> Iterator[str]:
    """The attributes that an expression names, at the top of the item."""
    for before, token, after in zip([("", ""), *tokens], tokens, [*tokens[1:], ("", "")], strict=False):
        plain = token[0] == "IDENT" and after[0] != "LPAREN" and str(token[1]).upper() not in WORDS
        if before[0] != "DOT" and (plain or token[0] == "NAME_REF"):
            yield names.get(token[1], token[1])


def _checking_transaction(original: Handler) -> Handler:
    def handle(data: Data) -> Answer:
        members = [member for item in data.get("TransactItems") or [] for member in item.items()]
        for _, asked in members:
            if text := _update_mistake(asked):
                return _error("ValidationException", text, 400)
        reasons = {number: text for number, member in enumerate(members) if (text := _key_mistake(*member))}
        return _cancelled(len(members), reasons) if reasons else original(data)

    return handle


def _key_mistake(kind: str, asked: Data) -> str | None:
    table = _tables.get(_name_of(asked.get("TableName")))
    keys = {key for key in (table["pk_name"], table["sk_name"]) if key} if table else set()
    if kind == "Put" and (absent := sorted(keys - (asked.get("Item") or {}).keys())):
        return f"One or more parameter values were invalid: Missing the key {absent[0]} in the item"
    if kind != "Put" and keys and (asked.get("Key") or {}).keys() != keys:
        return "The provided key element does not match the schema"
    return None


def _partly(left: str) -> Callable[[Handler], Handler]:
    """Do as much of a batch as is to be done, and give the rest back under the name `left`."""

    def make(original: Handler) -> Handler:
        def handle(data: Data) -> Answer:
            asked = data.get("RequestItems") or {}
            total = sum(len(_listed(part)) for part in asked.values())
            done = total // 2 if HALVED.get() else _readable(asked)
            if done >= total:
                return original(data)
            rest = {left: _part(asked, range(done, total))}
            if not done:
                return _json({"Responses": {}} | rest if left == "UnprocessedKeys" else rest)
            status, headers, body = original(data | {"RequestItems": _part(asked, range(done))})
            return (status, headers, body) if status != 200 else _json(json.loads(body) | rest)

        return handle

    return make


def _listed(part: Any) -> list[Any]:
    """The writes, or the keys, of one table's part of a batch."""
    return part if isinstance(part, list) else part.get("Keys") or []


def _part(asked: Data, wanted: Container[int]) -> Data:
    """The requests with the wanted numbers, counted through all tables."""
    numbers, chosen = count(), {}
    for table, part in asked.items():
        if kept := [each for each in _listed(part) if next(numbers) in wanted]:
            chosen[table] = kept if isinstance(part, list) else part | {"Keys": kept}
    return chosen


def _readable(asked: Data) -> int:
    """How many of a batch's keys fit into one answer; all of a batch that writes."""
    size = number = 0
    for name, part in asked.items():
        table = _tables.get(_name_of(name))
        for each in _listed(part):
            found = _item_of(table, each) if table and not isinstance(part, list) else None
            size += _size_of(found) if found else 0
            if size > WHOLE_BATCH:
                return number
            number += 1
    return number
