"""What a ledger needs of DynamoDB.

Transactions, conditions, sets, pages, batches, and rights that end at a partition key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, make_table, make_user
from sandbox.testing.running import ACCOUNT, Sandbox


@pytest.fixture(scope="module")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


def key(pk: str, sk: str = "1") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


@dataclass(frozen=True)
class Table:
    """A table, its name filled in."""

    boto: Any
    name: str

    def put(self, item: dict[str, Any], **more: Any) -> Any:
        return self.boto.put_item(TableName=self.name, Item=item, **more)

    def get(self, pk: str, sk: str = "1") -> dict[str, Any] | None:
        return self.boto.get_item(TableName=self.name, Key=key(pk, sk), ConsistentRead=True).get(
            "Item"
        )

    def update(
        self, pk: str, expression: str, values: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        given = {"ExpressionAttributeValues": values} if values else {}
        return self.boto.update_item(
            TableName=self.name, Key=key(pk), UpdateExpression=expression, **given, **more
        )

    def transact(self, *members: tuple[str, dict[str, Any]]) -> Any:
        items = [{kind: {"TableName": self.name} | asked} for kind, asked in members]
        return self.boto.transact_write_items(TransactItems=items)

    def query(self, pk: str, **more: Any) -> dict[str, Any]:
        values = {":pk": {"S": pk}} | more.pop("ExpressionAttributeValues", {})
        return dict(
            self.boto.query(
                TableName=self.name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=values,
                **more,
            )
        )

    @property
    def keys(self) -> list[str]:
        """The partition keys of all items."""
        return sorted(item["pk"]["S"] for item in self.boto.scan(TableName=self.name)["Items"])


@pytest.fixture
def table(server: Sandbox) -> Table:
    return Table(server.client("dynamodb"), make_table(server))


def refusal(do: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as refused:
        do()
    return dict(refused.value.response)


def code(do: Callable[[], Any]) -> str:
    """The code of a refusal; empty where there is none."""
    try:
        do()
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return ""


def under_lease(owner: str) -> list[tuple[str, dict[str, Any]]]:
    """Put, change and delete, if `owner` has the lease."""
    return [
        ("ConditionCheck", {
            "Key": key("lease"), "ConditionExpression": "holder = :me", "ExpressionAttributeValues": {":me": {"S": owner}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }),
        ("Put", {"Item": key("new"), "ConditionExpression": "attribute_not_exists(pk)"}),
        ("Update", {"Key": key("changed"), "UpdateExpression": "ADD why :w", "ExpressionAttributeValues": {":w": {"SS": ["r"]}}}),
        ("Delete", {"Key": key("old"), "ConditionExpression": "attribute_exists(pk)"}),
    ]  # fmt: skip


@pytest.fixture
def leased(table: Table) -> Table:
    """A table in which `me` has the lease."""
    table.put(key("lease") | {"holder": {"S": "me"}})
    table.put(key("old"))
    return table


def test_a_transaction_is_done_whole(leased: Table):
    leased.transact(*under_lease("me"))

    assert leased.keys == ["changed", "lease", "new"]
    assert leased.get("changed") == key("changed") | {"why": {"SS": ["r"]}}


def test_a_transaction_whose_check_fails_does_nothing_and_names_it(leased: Table):
    refused = refusal(lambda: leased.transact(*under_lease("you")))

    assert refused["Error"]["Code"] == "TransactionCanceledException"
    reasons = refused["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == [
        "ConditionalCheckFailed",
        "None",
        "None",
        "None",
    ]
    assert reasons[0]["Item"]["holder"] == {"S": "me"}
    assert leased.keys == ["lease", "old"]


def test_every_condition_of_a_transaction_is_reported(leased: Table):
    leased.transact(*under_lease("me"))
    reasons = refusal(lambda: leased.transact(*under_lease("you")))["CancellationReasons"]

    assert [reason["Code"] for reason in reasons] == [
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
        "None",
        "ConditionalCheckFailed",
    ]


def test_a_transaction_with_a_token_is_done_once(table: Table):
    added = {
        "TableName": table.name,
        "Key": key("n"),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for _ in range(2):
        table.boto.transact_write_items(
            ClientRequestToken="once", TransactItems=[{"Update": added}]
        )

    assert table.get("n") == key("n") | {"n": {"N": "1"}}


MISTAKES: list[tuple[str, Callable[[Table], Any], str, str]] = [
    ("one-item-twice", lambda t: t.transact(("Put", {"Item": key("a")}), ("Delete", {"Key": key("a")})), "ValidationException", "multiple operations on one item"),
    ("put-without-its-sort-key", lambda t: t.transact(("Put", {"Item": {"pk": {"S": "a"}}})), "TransactionCanceledException", r"\[ValidationError\]"),
    ("delete-without-its-sort-key", lambda t: t.transact(("Delete", {"Key": {"pk": {"S": "a"}}})), "TransactionCanceledException", r"\[ValidationError\]"),
    ("paths-that-overlap-in-a-transaction", lambda t: t.transact(("Update", {"Key": key("a"), "UpdateExpression": "REMOVE x, x.y"})), "ValidationException", "overlap"),
    ("one-path-twice", lambda t: t.update("a", "SET x = :v REMOVE x", {":v": {"S": "1"}}), "ValidationException", r"Two document paths overlap .*path one: \[x\], path two: \[x\]"),
    ("a-path-within-another", lambda t: t.update("a", "SET x.y = :v, x = :v", {":v": {"S": "1"}}), "ValidationException", r"path one: \[x, y\], path two: \[x\]"),
    ("one-path-by-two-names", lambda t: t.update("a", "SET #a = :v REMOVE #b", {":v": {"S": "1"}}, ExpressionAttributeNames={"#a": "x", "#b": "x"}), "ValidationException", "overlap"),
    ("a-section-twice", lambda t: t.update("a", "SET x = :v SET y = :v", {":v": {"S": "1"}}), "ValidationException", 'The "SET" section can only be used once'),
    ("a-reserved-word", lambda t: t.update("a", "SET state = :v", {":v": {"S": "1"}}), "ValidationException", "reserved keyword: state"),
    ("a-value-that-is-not-used", lambda t: t.update("a", "SET x = :v", {":v": {"S": "1"}, ":w": {"S": "1"}}), "ValidationException", "unused in expressions"),
    ("an-empty-set", lambda t: t.put(key("a") | {"why": {"SS": []}}), "ValidationException", "may not be empty"),
    ("a-set-added-to-a-text", lambda t: (t.put(key("a") | {"x": {"S": "1"}}), t.update("a", "ADD x :v", {":v": {"SS": ["1"]}})), "ValidationException", "incorrect data type"),
    ("a-filter-on-the-partition-key", lambda t: t.query("a", FilterExpression="pk = :pk"), "ValidationException", "Primary key attribute: pk"),
    ("a-filter-on-the-sort-key", lambda t: t.query("a", FilterExpression="begins_with(#s, :s)", ExpressionAttributeNames={"#s": "sk"}, ExpressionAttributeValues={":s": {"S": "1"}}), "ValidationException", "Primary key attribute: sk"),
    ("26-writes", lambda t: write(t, 26), "ValidationException", "less than or equal to 25"),
]  # fmt: skip


def write(table: Table, number: int, size: int = 0) -> dict[str, Any]:
    """One batch of items of about so many bytes."""
    text = {"text": {"S": "x" * size}} if size else {}
    asked = [{"PutRequest": {"Item": key("batch", f"{each:03}") | text}} for each in range(number)]
    return dict(table.boto.batch_write_item(RequestItems={table.name: asked}))


@pytest.mark.parametrize(
    ("do", "named", "why"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_what_aws_refuses_is_refused(
    table: Table, do: Callable[[Table], Any], named: str, why: str
):
    with pytest.raises(ClientError, match=why) as refused:
        do(table)

    assert refused.value.response["Error"]["Code"] == named


@pytest.mark.parametrize(
    "expression",
    [
        "SET x = :v, y.z = :v REMOVE yy",
        "SET x[0] = :v, x[1] = :v",
        "SET a = if_not_exists(a, :v), b = :v ADD n :n",
        "SET x = x",
    ],
)
def test_separate_paths_do_not_overlap(table: Table, expression: str):
    table.put(key("a") | {"x": {"L": [{"S": "0"}, {"S": "0"}]}, "y": {"M": {}}})
    values = {
        name: value
        for name, value in ((":v", {"S": "1"}), (":n", {"N": "1"}))
        if name in expression
    }

    assert code(lambda: table.update("a", expression, values)) == ""


def test_a_filter_may_name_an_attribute_like_a_key_that_lies_deeper(table: Table):
    table.put(key("a") | {"inside": {"M": {"pk": {"S": "b"}}}})

    found = table.query(
        "a", FilterExpression="inside.pk = :b", ExpressionAttributeValues={":b": {"S": "b"}}
    )
    assert found["Count"] == 1


def test_a_condition_that_fails_shows_the_item_if_requested(leased: Table):
    values = {":you": {"S": "you"}, ":one": {"N": "1"}}
    condition = {"ConditionExpression": "holder = :you"}
    shown = refusal(
        lambda: leased.update(
            "lease",
            "ADD n :one",
            values,
            **condition,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    )

    assert (shown["Error"]["Code"], shown["Item"]["holder"]) == (
        "ConditionalCheckFailedException",
        {"S": "me"},
    )
    assert "Item" not in refusal(lambda: leased.update("lease", "ADD n :one", values, **condition))


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        ("NONE", None),
        ("UPDATED_OLD", {"why": {"SS": ["a"]}}),
        ("UPDATED_NEW", {"why": {"SS": ["a", "b"]}}),
        ("ALL_OLD", key("grant") | {"why": {"SS": ["a"]}}),
        ("ALL_NEW", key("grant") | {"why": {"SS": ["a", "b"]}}),
    ],
)
def test_a_set_grows_and_the_answer_has_what_was_requested(
    table: Table, asked: str, reported: dict[str, Any] | None
):
    table.put(key("grant") | {"why": {"SS": ["a"]}})

    answer = table.update("grant", "ADD why :w", {":w": {"SS": ["a", "b"]}}, ReturnValues=asked)
    assert answer.get("Attributes") == reported


def test_a_set_that_loses_its_last_member_is_gone(table: Table):
    table.put(key("grant") | {"why": {"SS": ["a"]}})
    table.update("grant", "DELETE why :w", {":w": {"SS": ["a"]}})

    assert table.get("grant") == key("grant")


@pytest.mark.parametrize("read", ["query", "scan", "scan-that-finds-nothing"])
def test_a_page_ends_at_a_megabyte(table: Table, read: str):
    write(table, 25, 100_000)
    nothing = {"FilterExpression": "nowhere = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
    first = {
        "query": lambda: table.query("batch"),
        "scan": lambda: table.boto.scan(TableName=table.name, ConsistentRead=True),
        "scan-that-finds-nothing": lambda: table.boto.scan(TableName=table.name, **nothing),
    }[read]()

    assert first["LastEvaluatedKey"] == key("batch", "009")
    assert (first["ScannedCount"], first["Count"]) == (
        10,
        0 if read == "scan-that-finds-nothing" else 10,
    )


def test_pages_together_are_everything(table: Table):
    write(table, 25, 100_000)
    pages = list(table.boto.get_paginator("scan").paginate(TableName=table.name))

    assert [page["Count"] for page in pages] == [10, 10, 5]


def test_a_batch_is_read_up_to_16_mebibytes(table: Table):
    for start in range(0, 60, 20):
        items = [
            {"PutRequest": {"Item": key("big", f"{start + each}") | {"text": {"S": "x" * 390_000}}}}
            for each in range(20)
        ]
        table.boto.batch_write_item(RequestItems={table.name: items})
    asked = {
        table.name: {
            "Keys": [key("big", str(number)) for number in range(60)],
            "ConsistentRead": True,
        }
    }
    answer = table.boto.batch_get_item(RequestItems=asked)

    left = answer["UnprocessedKeys"][table.name]
    assert (len(answer["Responses"][table.name]), len(left["Keys"]), left["ConsistentRead"]) == (
        43,
        17,
        True,
    )


@pytest.fixture
def halving(server: Sandbox) -> Callable[[str], Any]:
    """Lets the next batch come back in part."""

    def halve(operation: str) -> Any:
        rule = {"service": "dynamodb", "operation": operation, "kind": "unprocessed", "times": 1}
        return call_control(server, "faults", "POST", {"rules": [rule]})

    return halve


def test_a_batch_may_be_written_in_part(table: Table, halving: Callable[[str], Any]):
    halving("BatchWriteItem")
    left = write(table, 5)["UnprocessedItems"]

    assert [each["PutRequest"]["Item"]["sk"]["S"] for each in left[table.name]] == [
        "002",
        "003",
        "004",
    ]
    assert len(table.keys) == 2
    assert table.boto.batch_write_item(RequestItems=left)["UnprocessedItems"] == {}
    assert len(table.keys) == 5


def test_a_batch_of_one_may_not_be_written_at_all(table: Table, halving: Callable[[str], Any]):
    halving("BatchWriteItem")

    assert len(write(table, 1)["UnprocessedItems"][table.name]) == 1
    assert table.keys == []


def test_a_batch_may_be_read_in_part(table: Table, halving: Callable[[str], Any]):
    write(table, 4)
    halving("BatchGetItem")
    answer = table.boto.batch_get_item(
        RequestItems={table.name: {"Keys": [key("batch", f"{n:03}") for n in range(4)]}}
    )

    assert len(answer["Responses"][table.name]) == 2
    assert len(answer["UnprocessedKeys"][table.name]["Keys"]) == 2


ACTIONS = [f"dynamodb:{name}" for name in ("PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "BatchWriteItem", "BatchGetItem", "ConditionCheckItem")]  # fmt: skip
CALLS: dict[str, Callable[[Table, str], Any]] = {
    "put": lambda t, pk: t.put(key(pk)),
    "get": lambda t, pk: t.get(pk),
    "update": lambda t, pk: t.update(pk, "SET x = :v", {":v": {"S": "1"}}),
    "delete": lambda t, pk: t.boto.delete_item(TableName=t.name, Key=key(pk)),
    "query": lambda t, pk: t.query(pk),
    "batch write": lambda t, pk: t.boto.batch_write_item(RequestItems={t.name: [{"PutRequest": {"Item": key("approval")}}, {"DeleteRequest": {"Key": key(pk, "2")}}]}),
    "batch get": lambda t, pk: t.boto.batch_get_item(RequestItems={t.name: {"Keys": [key("approval"), key(pk, "2")]}}),
    "transaction": lambda t, pk: t.transact(("Put", {"Item": key("approval")}), ("Delete", {"Key": key(pk, "2")})),
    "check": lambda t, pk: t.transact(("ConditionCheck", {"Key": key(pk), "ConditionExpression": "attribute_not_exists(sk)"})),
}  # fmt: skip


@pytest.mark.parametrize("operator", ["ForAllValues:StringEquals", "ForAllValues:StringLike"])
@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_a_right_may_end_at_a_partition_key(
    server: Sandbox, table: Table, call: Callable[[Table, str], Any], operator: str
):
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table.name}"
    condition = {operator: {"dynamodb:LeadingKeys": ["approval"]}}
    _, keys = make_user(server, {"Action": ACTIONS, "Resource": arn, "Condition": condition})
    theirs = Table(server.client("dynamodb", keys), table.name)

    assert code(lambda: call(theirs, "grant")) == "AccessDeniedException"
    assert code(lambda: call(theirs, "approval")) == ""


def test_each_item_of_a_transaction_is_judged_by_its_own_key(server: Sandbox, table: Table):
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table.name}"
    may = {
        action: {"Action": f"dynamodb:{action}", "Resource": arn, "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [pk]}}}
        for action, pk in (("PutItem", "approval"), ("ConditionCheckItem", "lease"))
    }  # fmt: skip
    _, keys = make_user(server, *may.values())
    theirs = Table(server.client("dynamodb", keys), table.name)
    check = (
        "ConditionCheck",
        {"Key": key("lease"), "ConditionExpression": "attribute_not_exists(pk)"},
    )

    assert code(lambda: theirs.transact(check, ("Put", {"Item": key("approval")}))) == ""
    assert (
        code(lambda: theirs.transact(check, ("Put", {"Item": key("lease", "2")})))
        == "AccessDeniedException"
    )


def test_a_scan_names_no_key_and_so_passes_a_condition_for_all_values(
    server: Sandbox, table: Table
):
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table.name}"
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["approval"]}}
    _, keys = make_user(
        server, {"Action": "dynamodb:Scan", "Resource": arn, "Condition": condition}
    )

    assert code(lambda: server.client("dynamodb", keys).scan(TableName=table.name)) == ""
