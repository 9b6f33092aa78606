"""What the server's DynamoDB accepts and AWS's refuses, and batches that come back in part.

The checks refuse overlapping paths of an update, a section used twice, a filter of a query on its
own key, and a transaction's item without its key. The texts are DynamoDB's.
"""

import json
from collections.abc import Callable, Container, Iterator
from contextvars import ContextVar
from functools import lru_cache
from itertools import count
from typing import Any

from sandbox.server.seams import use_seam, wrap_seam

TABLES = "ministack.services.dynamodb"
WHOLE_BATCH = 16 * 2**20  # bytes in one answer of BatchGetItem (API reference)
KEPT_EXPRESSIONS = 256  # each with its tokens
SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
EXPRESSION_WORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")
# Set by the fault `unprocessed`: only the first half of the current batch is done.
HALVED_BATCH: ContextVar[bool] = ContextVar("sandbox_halved_batch", default=False)
TableRequest = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[TableRequest], Answer]
AttributePath = list[str | int]
_tables = use_seam(TABLES, "_tables")
_name_of = use_seam(TABLES, "_normalize_table_name", "value")
_keys_of = use_seam(TABLES, "_resolve_index_keys", "table, index_name")
_item_of = use_seam(TABLES, "_get_item_by_key", "table, key")
_size_of = use_seam(TABLES, "_item_size_bytes", "item")
_tokens = use_seam(TABLES, "_tokenize", "expr")
_parts = use_seam(TABLES, "_split_by_comma", "tokens")
_path = use_seam(TABLES, "_parse_path_from_tokens", "tokens, attr_names")
_cancelled: Callable[[int, dict[int, str]], Answer] = use_seam(
    TABLES, "_transact_validation_cancel_response", "total, val_reasons"
)
_error: Callable[[str, str, int], Answer] = use_seam(
    "ministack.core.responses", "error_response_json"
)
_json: Callable[[TableRequest], Answer] = use_seam("ministack.core.responses", "json_response")


def install() -> None:
    """Check each request before the server's own handler sees it, and read each expression once.

    The server reads it again for every item: a filtered scan of a page takes three times as long.
    """
    wrap_seam(TABLES, "_condition_syntax_error", "expr, slot", lru_cache(KEPT_EXPRESSIONS))
    wrap_seam(TABLES, "_tokenize", "expr", _keep_tokens)
    for name, make in {
        "_update_item": _refuse_mistakes(_find_update_mistake),
        "_query": _refuse_mistakes(_find_filter_mistake),
        "_transact_write_items": _check_transaction,
        "_batch_write_item": _do_in_part("UnprocessedItems"),
        "_batch_get_item": _do_in_part("UnprocessedKeys"),
    }.items():
        wrap_seam(TABLES, name, "data", make)


def _keep_tokens(original: Callable[[str], list[Any]]) -> Callable[[str], list[Any]]:
    kept = lru_cache(KEPT_EXPRESSIONS)(lambda expression: tuple(original(expression)))
    return lambda expr: list(kept(expr))


def _refuse_mistakes(mistake: Callable[[TableRequest], str | None]) -> Callable[[Handler], Handler]:
    def make(original: Handler) -> Handler:
        def handle(data: TableRequest) -> Answer:
            text = mistake(data)
            return _error("ValidationException", text, 400) if text else original(data)

        return handle

    return make


def _find_update_mistake(data: TableRequest) -> str | None:
    """Return what is wrong with an update expression before any item is read."""
    sections: dict[str, list[Any]] = {}
    named: list[Any] = []
    for token in _tokens(data.get("UpdateExpression") or ""):
        word = str(token[1]).upper()
        if token[0] == "IDENT" and word in SECTIONS:
            if word in sections:
                return (
                    f'Invalid UpdateExpression: The "{word}" section can only be used once in an '
                    "update expression;"
                )
            named = sections[word] = []
        elif token[0] != "EOF":
            named.append(token)
    names = data.get("ExpressionAttributeNames") or {}
    return _find_overlap(
        [_path(part, names) for section in sections.values() for part in _parts(section)]
    )


def _find_overlap(paths: list[AttributePath]) -> str | None:
    for number, one in enumerate(paths):
        for two in paths[:number]:
            if one[: len(two)] == two or two[: len(one)] == one:
                shown = [f"[{', '.join(map(str, path))}]" for path in (two, one)]
                return (
                    "Invalid UpdateExpression: Two document paths overlap with each other; "
                    f"must remove or rewrite one of these paths; path one: {shown[0]}, path two: "
                    f"{shown[1]}"
                )
    return None


def _find_filter_mistake(data: TableRequest) -> str | None:
    """Return what is wrong with a query's filter.

    It may not name the key of what is queried: the key condition is for that.
    """
    table = _tables.get(_name_of(data.get("TableName")))
    if not table or not data.get("FilterExpression"):
        return None
    keys = _keys_of(table, data.get("IndexName"))[:2]
    names = data.get("ExpressionAttributeNames") or {}
    named = next(
        (name for name in _list_names(_tokens(data["FilterExpression"]), names) if name in keys),
        None,
    )
    return (
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: "
        f"{named}"
        if named
        else None
    )


def _list_names(tokens: list[Any], names: dict[str, str]) -> Iterator[str]:
    """Yield the top-level attributes that an expression names."""
    for before, token, after in zip(
        [("", ""), *tokens], tokens, [*tokens[1:], ("", "")], strict=False
    ):
        plain = (
            token[0] == "IDENT"
            and after[0] != "LPAREN"
            and str(token[1]).upper() not in EXPRESSION_WORDS
        )
        if before[0] != "DOT" and (plain or token[0] == "NAME_REF"):
            yield names.get(token[1], token[1])


def _check_transaction(original: Handler) -> Handler:
    def handle(data: TableRequest) -> Answer:
        members = [member for item in data.get("TransactItems") or [] for member in item.items()]
        for _, asked in members:
            if text := _find_update_mistake(asked):
                return _error("ValidationException", text, 400)
        reasons = {
            number: text
            for number, member in enumerate(members)
            if (text := _find_key_mistake(*member))
        }
        return _cancelled(len(members), reasons) if reasons else original(data)

    return handle


def _find_key_mistake(kind: str, asked: TableRequest) -> str | None:
    table = _tables.get(_name_of(asked.get("TableName")))
    keys = {key for key in (table["pk_name"], table["sk_name"]) if key} if table else set()
    if kind == "Put" and (absent := sorted(keys - (asked.get("Item") or {}).keys())):
        return f"One or more parameter values were invalid: Missing the key {absent[0]} in the item"
    if kind != "Put" and keys and (asked.get("Key") or {}).keys() != keys:
        return "The provided key element does not match the schema"
    return None


def _do_in_part(left: str) -> Callable[[Handler], Handler]:
    """Do as much of a batch as possible, and return the rest under the name `left`."""

    def make(original: Handler) -> Handler:
        def handle(data: TableRequest) -> Answer:
            asked = data.get("RequestItems") or {}
            total = sum(len(_list_requests(part)) for part in asked.values())
            done = total // 2 if HALVED_BATCH.get() else _count_readable(asked)
            if done >= total:
                return original(data)
            rest = {left: _select_requests(asked, range(done, total))}
            if not done:
                return _json({"Responses": {}} | rest if left == "UnprocessedKeys" else rest)
            status, headers, body = original(
                data | {"RequestItems": _select_requests(asked, range(done))}
            )
            return (status, headers, body) if status != 200 else _json(json.loads(body) | rest)

        return handle

    return make


def _list_requests(part: Any) -> list[Any]:
    """Return the writes, or the keys, of one table's part of a batch."""
    return part if isinstance(part, list) else part.get("Keys") or []


def _select_requests(asked: TableRequest, wanted: Container[int]) -> TableRequest:
    """Return the requests with the wanted numbers, counted across all tables."""
    numbers, chosen = count(), {}
    for table, part in asked.items():
        if kept := [each for each in _list_requests(part) if next(numbers) in wanted]:
            chosen[table] = kept if isinstance(part, list) else part | {"Keys": kept}
    return chosen


def _count_readable(asked: TableRequest) -> int:
    """Return how many of a batch's keys fit into one answer; all of a batch that writes."""
    size = number = 0
    for name, part in asked.items():
        table = _tables.get(_name_of(name))
        for each in _list_requests(part):
            found = _item_of(table, each) if table and not isinstance(part, list) else None
            size += _size_of(found) if found else 0
            if size > WHOLE_BATCH:
                return number
            number += 1
    return number
