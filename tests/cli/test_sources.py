"""Questions about other policy files, about the past, and without AWS; and with whose rights."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from grantor.cli.main import main
from sandbox.testing.scenario import AwsAccount
from tests.cli.conftest import Answer, CommandLine
from tests.conftest import ACCOUNT, ROOT
from tests.grantor_setup import ARTICLE_POLICY, DATA, GrantorSetup

USER_A, USER_B = "Product-Domain/userA", "Product-Domain/userB"
OWN, PRODUCT = f"s3://{DATA}/UserA/abalone.csv", f"s3://{DATA}/Product/abalone.csv"
NARROW = ARTICLE_POLICY.replace("Product/*", "Product/cleaned/*")
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs/json.schema.json").read_text())
)


@pytest.fixture
def granted(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    return cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of policy files that differ from those of the bucket."""
    made = tmp_path / "mine"
    made.mkdir()
    (made / "article.yaml").write_text(NARROW)
    return made


@pytest.fixture
def saved(granted: CommandLine, tmp_path: Path) -> Path:
    """An inventory, saved by somebody who may only read."""
    answered = granted.run("inventory", keys=granted.create_person("Reader"))
    assert (answered.code, answered.err) == (0, "")
    file = tmp_path / "inventory.json"
    file.write_text(answered.out)
    return file


@pytest.fixture
def ask_offline(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Asks without any session of AWS: one call of it would fail."""

    def ask(*words: str) -> Answer:
        capsys.readouterr()
        code = main(words, NoSession())
        return Answer(code, *capsys.readouterr())

    return ask


class NoSession:
    """Stands for AWS where nobody may ask it."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"{name} of a session was asked for")


def test_a_folder_answers_as_it_would_be_and_changes_nothing(
    granted: CommandLine, setup: GrantorSetup, folder: Path
) -> None:
    before = setup.describe_grants()
    answered = granted.run(
        "can",
        USER_A,
        "READ",
        PRODUCT,
        "--policy",
        str(folder),
        keys=granted.create_person("Reader"),
    )
    assert answered.code == 3
    assert answered.lines[1] == "because: no rule gives it"
    who = granted.run("who", f"s3://{DATA}/Product/cleaned/*", "--policy", str(folder)).lines
    assert who[0].startswith("2 grantees reach all of")
    assert setup.describe_grants() == before
    assert granted.run("can", USER_A, "READ", PRODUCT).code == 0


def test_a_folder_keeps_what_a_run_would_keep(
    granted: CommandLine, setup: GrantorSetup, folder: Path
) -> None:
    role = setup.create_role("auditor")
    setup.create_unmanaged_grant("Product/*", role, "READ")
    lines = granted.run("can", role, "READ", PRODUCT, "--policy", str(folder)).lines
    assert lines[0].startswith("yes: ")
    assert lines[2].startswith("because: the grant is unmanaged")


def test_a_wrong_file_in_a_folder_is_an_error_and_no_answer(
    granted: CommandLine, folder: Path
) -> None:
    (folder / "more.yaml").write_text("version: 1\nrules: [{nme: x}]\n")
    answered = granted.run("who", OWN, "--policy", str(folder))
    assert (answered.code, answered.out) == (1, "")
    assert "policy/more.yaml:2" in answered.err


def test_a_saved_inventory_answers_as_the_stack_did(
    granted: CommandLine, saved: Path, ask_offline: Callable[..., Answer]
) -> None:
    for words in (
        ("can", USER_A, "READ", OWN),
        ("can", USER_B, "READ", OWN),
        ("who", f"s3://{DATA}/*"),
        ("who", "WRITE", PRODUCT),
        ("reach", USER_A),
    ):
        live = granted.run(*words, "--json")
        offline = ask_offline(*words, "--profiles", str(saved), "--json")
        VALIDATOR.validate(offline.json)
        assert offline.code == live.code
        ours, theirs = offline.json, live.json
        assert ours.pop("as_of")
        assert theirs.pop("as_of") is None
        assert ours == theirs


def test_an_inventory_is_a_document_of_the_schema_without_secrets(saved: Path) -> None:
    document = json.loads(saved.read_text())
    VALIDATOR.validate(document)
    assert [one["file"] for one in document["policies"]] == ["policy/article.yaml"]
    assert len(document["grants"]) == 4
    assert {one["name"] for one in document["profiles"]} == {"userA", "userB"}


def test_a_saved_inventory_answers_about_other_files_too(
    saved: Path, folder: Path, ask_offline: Callable[..., Answer]
) -> None:
    source = ("--profiles", str(saved), "--policy", str(folder))
    assert ask_offline("can", USER_A, "READ", PRODUCT, *source).code == 3
    cleaned = ask_offline("can", USER_A, "READ", f"s3://{DATA}/Product/cleaned/a.csv", *source)
    assert cleaned.lines[0].startswith("yes: ")
    assert cleaned.lines[-1].startswith("as of: ")


def test_what_an_inventory_lacks_is_unread_and_never_empty(
    saved: Path, folder: Path, ask_offline: Callable[..., Answer]
) -> None:
    (folder / "teams.yaml").write_text(
        "version: 1\nrules:\n  - name: teams\n    to: {profiles: {domain: Product-Domain}}\n"
        f"    on: {{each_prefix: s3://{DATA}/teams/}}\n    allow: READ\n"
    )
    answered = ask_offline(
        "can", USER_A, "READ", f"s3://{DATA}/teams/blue/x", "--policy", str(folder),
        "--profiles", str(saved),
    )  # fmt: skip
    assert answered.lines[1] == "because: what would give it is on hold"
    assert any("the saved inventory does not have it" in line for line in answered.lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is no JSON"),
        ('{"kind": "plan"}', "is no inventory: its kind is"),
        ("[]", "is no inventory: it has no kind"),
        ('{"kind": "inventory", "schema_version": 7}', "has the schema version 7"),
        ('{"kind": "inventory", "schema_version": 1}', "is no complete inventory"),
    ],
)
def test_a_file_that_is_no_inventory_is_refused(
    tmp_path: Path, ask_offline: Callable[..., Answer], content: str, message: str
) -> None:
    (tmp_path / "x.json").write_text(content)
    answered = ask_offline("who", OWN, "--profiles", str(tmp_path / "x.json"))
    assert (answered.code, answered.out) == (1, "")
    assert message in answered.err
    assert "save it again with grantor inventory" in answered.err


def test_a_missing_inventory_says_how_to_make_it(ask_offline: Callable[..., Answer]) -> None:
    answered = ask_offline("who", OWN, "--profiles", "nowhere.json")
    assert "nowhere.json cannot be read" in answered.err
    assert "grantor inventory > nowhere.json" in answered.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("who", OWN, "--as-of", "2026-11-30", "--policy", "."), "--as-of and --policy exclude"),
        (("who", OWN, "--as-of", "2026-11-30", "--profiles", "x"), "--as-of and --profiles excl"),
        (("reach", "--profiles", "x"), "--profiles needs WHO"),
        (("reach", "--as-of", "2026-11-30"), "--as-of needs WHO"),
        (("who", OWN, "--policy", "nowhere"), "--policy nowhere: there is no such folder"),
    ],
)
def test_sources_that_exclude_each_other_are_refused(
    granted: CommandLine, words: tuple[str, ...], message: str
) -> None:
    answered = granted.run(*words)
    assert answered.code == 2
    assert message in answered.err


def test_the_past_is_answered_without_rules(granted: CommandLine, setup: GrantorSetup) -> None:
    answered = granted.run("can", USER_B, "READ", OWN, "--as-of", "2020-01-01")
    assert answered.code == 1
    assert answered.out == ""


def test_a_person_without_rights_gets_a_refusal_and_no_empty_answer(
    granted: CommandLine,
) -> None:
    keys = granted.create_person()
    for words in (("who", OWN), ("can", USER_A, "READ", OWN), ("reach", USER_A), ("inventory",)):
        answered = granted.run(*words, keys=keys)
        assert (answered.code, answered.out) == (1, "")
        assert "needs the stack's managed policy Reader" in answered.err


def test_whoever_may_not_list_grants_gets_a_refusal_and_no_empty_answer(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    account = AwsAccount(ACCOUNT, setup.client)
    role = account.role("half-reader", allow=["*"])
    denied = {"Effect": "Deny", "Action": "s3:ListAccessGrants", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    setup.client("iam").put_role_policy(
        RoleName="half-reader", PolicyName="deny", PolicyDocument=policy
    )
    for words in (("who", OWN), ("can", USER_A, "READ", OWN), ("reach", USER_A), ("inventory",)):
        answered = granted.run(*words, keys=account.session(role))
        assert (answered.code, answered.out) == (1, "")
        assert "s3:ListAccessGrants" in answered.err


def test_everybody_asks_for_their_own_reach_without_any_right_of_grantor(
    granted: CommandLine, setup: GrantorSetup, folder: Path
) -> None:
    account = AwsAccount(ACCOUNT, setup.client)
    role = account.role("own-reach", allow=["s3:ListCallerAccessGrants"])
    setup.create_unmanaged_grant("Product/*", role, "READ")
    keys = account.session(role)
    answered = granted.run("reach", keys=keys)
    assert answered.code == 0
    assert answered.lines[0].endswith(f"reaches 1 scope in us-east-1 of account {ACCOUNT}")
    assert answered.lines[2].split() == ["READ", f"s3://{DATA}/Product/*"]
    assert answered.lines[3].startswith("unknown: only policy files say whom to ask")
    (folder / "article.yaml").write_text(f"owner: data-platform\n{ARTICLE_POLICY}")
    known = granted.run("reach", "--policy", str(folder), "--json", keys=keys).json
    VALIDATOR.validate(known)
    assert known["grants"][0]["owners"] == ["data-platform"]
    csv = granted.run("reach", "--csv", keys=keys)
    assert csv.lines == ["permission,scope,through,ask", f"READ,s3://{DATA}/Product/*,,"]


def test_the_own_reach_of_a_profile_is_what_the_stack_says_of_it(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    account = AwsAccount(ACCOUNT, setup.client)
    role = account.role("role-sam", "sagemaker.amazonaws.com", allow=["s3:ListCallerAccessGrants"])
    assert setup.create_profile("sam", "role-sam") == role
    setup.reconcile()
    own = granted.run("reach", "--json", keys=account.session(role)).json["grants"]
    listed = granted.run("reach", "Product-Domain/sam", "--json").json["grants"]
    assert [one["scope"] for one in own] == [one["scope"] for one in listed]
    assert len(own) == 2


def test_whoever_may_not_list_even_their_own_grants_hears_which_right_it_takes(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    account = AwsAccount(ACCOUNT, setup.client)
    role = account.role("nobody", allow=["s3:GetObject"])
    answered = granted.run("reach", keys=account.session(role))
    assert (answered.code, answered.out) == (1, "")
    assert "s3:ListCallerAccessGrants, which the stack's managed policy Notebook" in answered.err
