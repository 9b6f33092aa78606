"""Attacks on approvals, with the sessions of those who hold the stack's managed policies.

`cli` is the command line on a stack with the template's managed policies, `setup` its resources.
What needs the function and the trail is at the end, on the deployed stack.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.cli.main import main
from grantor.core.planning.rendering import format_timestamp
from grantor.core.triggers import PolicyWrite
from grantor.reconcile.report import Report
from sandbox.testing.helpers import wait_until
from tests.attacks.conftest import GRANT_SECONDS, AttackedStack, Session, refused
from tests.cli.conftest import CommandLine, cli, cli_sandbox, setup  # noqa: F401
from tests.cli.policy_texts import build_rule, build_rules
from tests.conftest import REGION
from tests.grantor_setup import LEDGER, POLICIES, GrantorSetup, build_session
from tests.teardown.empty_account import STACK_NAME

BECAUSE = ("--because", "we agreed on it", "--yes")


@pytest.fixture
def waiting(setup: GrantorSetup) -> Report:  # noqa: F811
    """A run whose plan takes away 25 of 30 grants, and waits for an approval."""
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    return setup.reconcile()


def read_user_id(cli: CommandLine, keys: dict[str, str]) -> str:  # noqa: F811
    return str(cli.setup.sandbox.client("sts", keys).get_caller_identity()["UserId"])


def build_decision(user: str, waiting: Report, **more: str) -> dict[str, Any]:
    """An item as the client writes it, in DynamoDB's form."""
    plan, nonce = waiting.approval.hash, waiting.approval.nonce
    values = {"pk": f"approval {user}", "sk": plan, "approves": plan, "nonce": nonce}
    values |= {"says": "approve", "because": "x", "by": "arn:x", "id": "x"} | more
    return {name: {"S": value} for name, value in values.items()} | {"despite": {"M": {}}}


def test_an_account_that_is_swapped_after_the_approval_gets_nothing(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
):
    """3a: text and hash once dropped the account of a grantee."""
    role = setup.create_role("auditor")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    five = build_rules(role, 5)
    audit = build_rule(role, "s3://data/audit/*").partition("rules:\n")[2]
    setup.put_policy("many", five + audit)
    first = setup.reconcile()
    assert cli.run("approve", first.approval.hash, *BECAUSE).code == 0
    swapped = audit.replace("000000000000:role/auditor", "666666666666:role/auditor")
    setup.put_policy("many", five + swapped)
    second = setup.reconcile()

    assert (
        second.approval.is_pending,
        second.approval.hash == first.approval.hash,
        second.done,
    ) == (
        True,
        False,
        [],
    )
    assert {grant.grantee.identifier for grant in setup.list_grants()} == {role}


def test_a_stored_plan_that_break_glass_rewrites_is_not_shown_and_not_approved(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """3c: approve once printed stored text without computing the hash again."""
    harmless = json.loads(json.dumps(waiting.to_document("grantor")))
    writer = setup.build_services(cli.create_person("BreakGlass", "Reader"))
    lying = {**harmless, "changes": [], "counts": {"to_create": 0, "to_delete": 0, "to_update": 0}}
    lease = writer.lease_store.acquire("intruder", {}, writer.clock(), 60)
    assert lease
    plan = writer.run_store.read_pending_plan(waiting.approval.hash)
    assert plan
    writer.run_store.record_pending_plan(lease, plan, lying, datetime.now(UTC))
    writer.lease_store.abandon(lease)
    answered = cli.run("approve", plan.hash, *BECAUSE, keys=cli.create_person("Approver"))

    assert (answered.code, answered.out) == (1, "")
    assert f"the record of plan {plan.hash[:12]} was changed" in answered.err
    setup.reconcile()  # records the plan again
    again = cli.run("approve", plan.hash, *BECAUSE, keys=cli.create_person("Approver"))
    assert (again.code, setup.reconcile().deleted) == (0, 25)


def test_nothing_is_cut_from_what_is_approved_and_deletes_come_first(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    """3c: long texts were once cut, deletes last."""
    monkeypatch.setattr("grantor.settings.MAX_STORED_DOCUMENT_BYTES", 5_000)
    with suppress(AttributeError):
        monkeypatch.setattr("grantor.aws.run_store.MAX_STORED_DOCUMENT_BYTES", 5_000)
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 30).replace("s3://data/", "s3://data/new/"))
    plan = setup.reconcile().approval.hash
    lines = cli.run("approve", plan, *BECAUSE).lines
    signs = [line[0] for line in lines if line[:2] in ("- ", "+ ")]

    assert signs == ["-"] * 30 + ["+"] * 30


def test_an_approval_is_used_once(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """3d: an approval once held for a day, for every equal plan."""
    role = setup.create_role("ana")
    assert cli.run("approve", waiting.approval.hash, *BECAUSE).code == 0
    assert setup.reconcile().deleted == 25
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    again = setup.reconcile()

    assert again.approval.hash == waiting.approval.hash
    assert (again.approval.is_pending, again.deleted) == (True, 0)


def test_an_approval_that_was_used_is_not_brought_back_with_its_nonce(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """Break glass may rewrite the record of a plan, but what people said is gone with it."""
    role, table = setup.create_role("ana"), setup.build_services().table
    recorded = table.get_item("plan", waiting.approval.hash)
    assert recorded
    cli.run("approve", waiting.approval.hash, *BECAUSE)
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    keys = cli.create_person("BreakGlass", "Reader")
    setup.build_services(keys).table.put_item(recorded)

    assert setup.reconcile().approval.is_pending


def test_a_hash_has_256_bits_and_covers_the_reasons(
    setup: GrantorSetup,  # noqa: F811
    waiting: Report,
):
    """3e: a hash of 64 bits once covered rendered sentences. tests/core/test_plan_identity has the
    property for every value.
    """
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 5).replace("r00", "rule-0"))
    other = setup.reconcile()

    assert re.fullmatch(r"[0-9a-f]{64}", waiting.approval.hash)
    assert other.approval.hash != waiting.approval.hash


def test_an_approver_cannot_write_under_the_id_of_another(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """3f: `by` was once written by the approver's client."""
    client = setup.sandbox.client("dynamodb", cli.create_person("Approver"))
    others = [build_decision(user, waiting) for user in ("AROAOTHER:eva", "", "*", "${aws:userid}")]
    for item in (*others, others[0] | {"pk": {"S": "approval"}}):
        with refused():
            client.put_item(TableName=LEDGER, Item=item)

    assert setup.reconcile().approval.is_pending


def test_what_the_approvers_client_says_about_itself_decides_nothing(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """3f: `by`, `at` and `ttl` were once written by the approver's client and believed."""
    approver = cli.create_person("Approver")
    user = read_user_id(cli, approver)
    forged = build_decision(user, waiting, by="arn:aws:iam::000000000000:user/boss")
    forged |= {"at": {"S": "9999-12-31T00:00:00Z"}, "ttl": {"N": "253402214400"}}
    setup.sandbox.client("dynamodb", approver).put_item(TableName=LEDGER, Item=forged)
    report = setup.reconcile()

    assert report.approval.approved_by == user
    assert report.approval.approved_at == report.timestamp
    text = cli.run("history", report.run_id).out
    assert f"{user} (arn:aws:iam::000000000000:user/boss, as the client says)" in text


def test_an_approval_without_the_nonce_of_the_pending_plan_does_not_count(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    approver = cli.create_person("Approver")
    item = build_decision(read_user_id(cli, approver), waiting, nonce="0" * 32)
    setup.sandbox.client("dynamodb", approver).put_item(TableName=LEDGER, Item=item)

    assert setup.reconcile().approval.is_pending


def test_an_end_that_is_removed_is_in_what_is_approved(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
):
    """3g: a change of an end date was once in no line of a plan."""
    role = setup.create_role("ana")
    visitor = (
        f'  - name: visitor\n    to: {{role: "{role}"}}\n'
        "    on: s3://{data_bucket}/v/*\n    allow: READ\n"
    )
    ends = visitor + "    until: 2099-12-31\n"
    setup.put_policy("many", build_rules(role, 30) + ends)
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5) + visitor)
    plan = setup.reconcile().approval
    shown = cli.run("approve", plan.hash, *BECAUSE).lines

    assert plan.is_pending
    (line,) = [line for line in shown if line.startswith("~ ")]
    assert "s3://data/v/*" in line
    assert "-> without end" in line


def test_one_person_who_holds_both_roles_does_not_approve_what_they_wrote(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """Two roles of one person once passed by IAM. The names of both sessions are an address."""
    arn = setup.create_role("approvers")
    iam = setup.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "sts:AssumeRole",
    }
    iam.update_assume_role_policy(
        RoleName="approvers",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.attach_role_policy(RoleName="approvers", PolicyArn=cli.outputs["Approver"])
    keys = setup.client("sts").assume_role(RoleArn=arn, RoleSessionName="ana@example.org")[
        "Credentials"
    ]
    version = setup.client("s3").head_object(Bucket=POLICIES, Key="policy/many.yaml")["VersionId"]
    written = PolicyWrite(
        "policy/many.yaml", version, format_timestamp(datetime.now(UTC)), "AROA9:ana@example.org"
    )
    setup.build_services().run_store.record_write(written, datetime.now(UTC))
    answered = cli.run("approve", waiting.approval.hash, *BECAUSE, keys=keys)
    item = build_decision(read_user_id(cli, keys), waiting)
    setup.sandbox.client("dynamodb", keys).put_item(TableName=LEDGER, Item=item)  # past the command
    report = setup.reconcile()

    assert (answered.code, report.approval.is_pending, report.deleted) == (1, True, 0)
    assert "you may not approve this plan: AROA9:ana@example.org wrote policy/many.yaml" in (
        answered.err
    )
    ((decision, write),) = report.approval.refused
    assert (decision.because, write.version) == ("x", version)


def test_break_glass_does_not_erase_who_wrote_a_policy_file(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
):
    written = PolicyWrite("policy/many.yaml", "v1", "2026-11-24T10:00:00Z", "AROA9:ana")
    setup.build_services().run_store.record_write(written, datetime.now(UTC))
    key = {"pk": {"S": "author policy/many.yaml"}, "sk": {"S": "2026-11-24T10:00:00Z AROA9:ana v1"}}
    client = setup.sandbox.client("dynamodb", cli.create_person("BreakGlass", "Reader"))
    with refused():
        client.delete_item(TableName=LEDGER, Key=key)
    with refused():
        client.put_item(TableName=LEDGER, Item=key)

    assert list(setup.build_services().run_store.read_writes(["policy/many.yaml"])) == [written]


def list_writes(item: dict[str, Any]) -> dict[str, Callable[[Any], object]]:
    """Every way to write an item of a table."""
    key = {name: item[name] for name in ("pk", "sk")}
    insert = {"Statement": f"INSERT INTO \"{LEDGER}\" VALUE {{'pk': ?, 'sk': ?}}"}
    insert["Parameters"] = list(key.values())
    update = {
        "TableName": LEDGER,
        "Key": key,
        "UpdateExpression": "SET nonce = :n",
        "ExpressionAttributeValues": {":n": item["nonce"]},
    }
    put = {"TableName": LEDGER, "Item": item}
    return {
        "PutItem": lambda db: db.put_item(**put),
        "UpdateItem": lambda db: db.update_item(**update),
        "BatchWriteItem": lambda db: db.batch_write_item(
            RequestItems={LEDGER: [{"PutRequest": {"Item": item}}]}
        ),
        "TransactWriteItems Put": lambda db: db.transact_write_items(TransactItems=[{"Put": put}]),
        "TransactWriteItems Update": lambda db: db.transact_write_items(
            TransactItems=[{"Update": update}]
        ),
        "ExecuteStatement": lambda db: db.execute_statement(**insert),
        "BatchExecuteStatement": lambda db: db.batch_execute_statement(Statements=[insert]),
        "ExecuteTransaction": lambda db: db.execute_transaction(TransactStatements=[insert]),
    }


def try_writes(setup: GrantorSetup, keys: dict[str, str], item: dict[str, Any]) -> Iterator[str]:  # noqa: F811
    """The ways in which this person has written the item."""
    client = setup.sandbox.client("dynamodb", keys)
    table = setup.build_warm_services().table
    for name, write in list_writes(item).items():
        with suppress(ClientError):
            write(client)
        if table.get_item(item["pk"]["S"], item["sk"]["S"]):
            table.delete_item(item["pk"]["S"], item["sk"]["S"])
            yield name


def test_only_an_approver_approves_and_only_in_their_own_name(
    setup: GrantorSetup,  # noqa: F811
    cli: CommandLine,  # noqa: F811
    waiting: Report,
):
    """Tried hard, and held: batches, transactions and PartiQL, too."""
    written = {}
    for policies in (
        ("Approver",),
        ("Steward",),
        ("BreakGlass", "Reader"),
        ("Reader",),
        ("Approver", "Steward"),
        ("Approver", "BreakGlass", "Steward", "Reader"),
    ):
        keys = cli.create_person(*policies)
        own, others = build_decision(read_user_id(cli, keys), waiting), "AROAOTHER:eva"
        assert list(try_writes(setup, keys, build_decision(others, waiting))) == []
        written["+".join(policies)] = list(try_writes(setup, keys, own))

    assert {name: ways for name, ways in written.items() if ways} == {
        "Approver": ["PutItem", "TransactWriteItems Put"]
    }


def run_command(attacked: AttackedStack, folder: Path, session: Session, *words: str) -> int:
    """Run `grantor WORDS` on the deployed stack with the keys of the session; the exit code."""
    config = folder / "config"
    config.write_text(f"[default]\nregion = {REGION}\nendpoint_url = {attacked.sandbox.url}\n")
    return main([*words, "--stack", STACK_NAME], build_session(config, session.keys))


def find_items(attacked: AttackedStack, pk: str) -> list[dict[str, Any]]:
    """The items of one partition of the ledger's table."""
    return list(
        attacked.client("dynamodb").query(
            TableName=attacked.outputs["Ledger"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )["Items"]
    )


def test_cloudtrail_tells_the_author_whom_another_role_does_not_make_an_approver(
    attacked: AttackedStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One person with both roles: through the trail, the rule, the queue and the function."""
    address, name = "ana@example.org", "approved"
    steward = attacked.assume_role(attacked.outputs["StewardRole"], address)
    ana, ben = (attacked.create_person("Approver", name=one) for one in (address, "ben"))
    reader = attacked.create_role(name="reader").arn
    file = f"policy/{name}.yaml"

    def put(count: int) -> None:
        body = build_rules(reader, count).replace("s3://data/", "s3://{data_bucket}/").encode()
        steward.client("s3").put_object(Bucket=attacked.policy_bucket, Key=file, Body=body)

    def count_grants() -> int:
        return sum(role == reader.rpartition("/")[2] for role, _, _ in attacked.list_grants())

    put(24)
    wait_until(lambda: count_grants() == 24 or find_items(attacked, "plan"), GRANT_SECONDS)
    for plan in find_items(attacked, "plan"):
        run_command(attacked, tmp_path, ben, "approve", plan["sk"]["S"], *BECAUSE)
    wait_until(lambda: count_grants() == 24, GRANT_SECONDS)
    put(1)
    ((plan,),) = [wait_until(lambda: find_items(attacked, "plan"), GRANT_SECONDS)]
    wait_until(lambda: len(find_items(attacked, f"author {file}")) == 2, GRANT_SECONDS)
    capsys.readouterr()
    refused_code = run_command(attacked, tmp_path, ana, "approve", plan["sk"]["S"], *BECAUSE)
    text = capsys.readouterr()
    approved_code = run_command(attacked, tmp_path, ben, "approve", plan["sk"]["S"], *BECAUSE)
    wait_until(lambda: count_grants() == 1, GRANT_SECONDS)
    attacked.delete_policy(name)

    assert (refused_code, approved_code) == (1, 0)
    assert f"assumed-role/{steward.role}/{address}) wrote {file}" in text.err
    assert "another person must approve it" in text.err
