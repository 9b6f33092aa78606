"""grantor report and review: what somebody sees, and signs."""

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from grantor.core.access.grant_history import EventKind
from tests.cli.conftest import Answer, CommandLine
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs/json.schema.json").read_text())
)
OWNER = "data@example.com"
POLICY = ARTICLE_POLICY.replace("version: 1", f"version: 1\nowner: {OWNER}\nreview: 90d")
REVIEWER = ("Reader", "Approver")


@pytest.fixture
def granted(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    setup.put_policy("article", POLICY)
    setup.reconcile()
    return cli


def read_command(cli: CommandLine, folder: Path) -> list[str]:
    """Write the pages as a reader, and return the words of the command of the owner's page."""
    answer = cli.run("report", "--html", str(folder), "--json", keys=cli.create_person("Reader"))
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    VALIDATOR.validate(document)
    page = next(one["page"] for one in document["owners"] if one["owner"] == OWNER)
    command = (folder / page).read_text().partition('id="command">')[2].partition("</pre>")[0]
    words = shlex.split(command.replace("&#x27;", "'"))
    assert words[0] == "grantor"
    at = words.index("--stack")
    return [*words[1:at], *words[at + 2 :]]


def sign(cli: CommandLine, words: list[str], *policies: str) -> Answer:
    return cli.run(*words, "--json", keys=cli.create_person(*policies))


def test_the_command_of_a_page_signs_what_it_shows(
    granted: CommandLine, setup: GrantorSetup, tmp_path: Path
) -> None:
    answer = sign(granted, read_command(granted, tmp_path), *REVIEWER)
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    VALIDATOR.validate(document)

    services = setup.build_services()
    (signed,) = services.review_store.read_signed()
    assert (signed.user, signed.about) == (document["user_id"], OWNER)
    assert set(signed.rules) == {
        "policy/article.yaml#own-folder", "policy/article.yaml#product-team",
    }  # fmt: skip
    events = services.history.read_events(datetime(2000, 1, 1, tzinfo=UTC))
    assert [one.why for one in events if one.kind is EventKind.SIGNED] == ["WHY"]
    assert granted.queued_subjects() == [["everything"]]


def test_what_has_changed_since_the_page_was_made_is_not_signed(
    granted: CommandLine, setup: GrantorSetup, tmp_path: Path
) -> None:
    words = read_command(granted, tmp_path)
    setup.delete_profile("userB")
    setup.reconcile()

    answer = granted.run(*words, keys=granted.create_person(*REVIEWER))
    assert answer.code == 1
    assert "make the report again" in answer.err
    assert setup.build_services().review_store.read_signed() == []


@pytest.mark.parametrize(
    "policies", [("Reader",), ("Reader", "Steward"), ("Reader", "BreakGlass"),
                 ("Reader", "Approver", "Steward")], ids="+".join,
)  # fmt: skip
def test_nobody_signs_without_the_permission_and_no_steward_at_all(
    granted: CommandLine, setup: GrantorSetup, tmp_path: Path, policies: tuple[str, ...]
) -> None:
    answer = granted.run(*read_command(granted, tmp_path), keys=granted.create_person(*policies))
    assert answer.code == 1
    assert setup.build_services().review_store.read_signed() == []


def test_list_names_what_nobody_has_reviewed_and_needs_only_reader(
    granted: CommandLine, tmp_path: Path
) -> None:
    reader = granted.create_person("Reader")
    before = granted.run("review", "list", keys=reader)
    assert before.code == 3
    assert before.lines[0].startswith("policy/article.yaml#own-folder: reviewed never; it ends at ")

    sign(granted, read_command(granted, tmp_path), *REVIEWER)
    after = granted.run("review", "list", keys=reader)
    assert (after.code, after.lines[0]) == (
        0, "somebody has reviewed each rule in the last 90 days",
    )  # fmt: skip
    VALIDATOR.validate(json.loads(granted.run("review", "list", "--json", keys=reader).out))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--because", "x"], 2, "--seen needs the digest"),
        (["--seen", "0", "--because", " "], 2, "--because needs a reason"),
        (["--seen", "0", "--because", "x", "--owner", "nobody@x"], 1, "the owners are"),
        (["policy/a.yaml#no", "--seen", "0", "--because", "x"], 1, "there is no rule"),
        (["r", "--owner", "-", "--seen", "0", "--because", "x"], 2, "exclude each other"),
    ],
)
def test_wrong_usage_is_explained(
    granted: CommandLine, words: list[str], code: int, message: str
) -> None:
    answer = granted.run("review", "sign", *words)
    assert answer.code == code
    assert message in answer.err


def test_a_report_of_a_saved_inventory_needs_no_aws(cli: CommandLine, tmp_path: Path) -> None:
    saved = ROOT / "examples/company/saved-inventory.json"
    answer = cli.run("report", "--html", str(tmp_path), "--profiles", str(saved))
    assert (answer.code, answer.lines) == (0, [f"{tmp_path}/index.html: 5 pages"])


def test_a_folder_that_cannot_be_written_is_named(cli: CommandLine, tmp_path: Path) -> None:
    saved, file = ROOT / "examples/company/saved-inventory.json", tmp_path / "file"
    file.write_text("")
    answer = cli.run("report", "--html", str(file), "--profiles", str(saved))
    assert answer.code == 1
    assert "cannot be written" in answer.err
