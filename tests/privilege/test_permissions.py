"""What the templates give, and what is said of it in docs/security.md."""

from pathlib import Path

import pytest

from privilege.kept import Kept
from privilege.page import PAGE, Unexplained, fresh, today
from privilege.permissions import Ambiguous, Permission, holders
from privilege.reasons import load

HERE = Path(__file__).parent


def test_every_action_and_resource_of_a_statement_is_a_permission():
    role = holders((HERE / "small.yaml",))["ReconcileGrantsRole"]
    grants = "arn:${AWS::Partition}:s3:${AWS::Region}:${AWS::AccountId}:access-grants/default/grant/*"

    assert [permission for statement in role.statements for permission in statement.permissions()] == [
        Permission("ReconcileGrantsRole", "ReadPolicyFiles", "s3:GetObject", "${PolicyBucket.Arn}/policy/*"),
        Permission("ReconcileGrantsRole", "RevokeOnlyWhatIsOurs", "s3:DeleteAccessGrant", grants),
    ]


def test_two_statements_of_a_role_can_not_have_one_name(tmp_path: Path):
    twice = (HERE / "small.yaml").read_text().replace("RevokeOnlyWhatIsOurs", "ReadPolicyFiles")
    (tmp_path / "template.yaml").write_text(twice)

    with pytest.raises(Ambiguous, match="ReconcileGrantsRole has more than one statement ReadPolicyFiles"):
        holders((tmp_path / "template.yaml",))


def test_the_page_says_what_templates_reasons_and_the_record_say():
    assert PAGE.read_text() == today()


@pytest.mark.parametrize(
    ("sentences", "wrong"),
    [
        ("{ReadPolicyFiles: a}", "RevokeOnlyWhatIsOurs, ask-access-grants"),
        ("{ReadPolicyFiles: a, RevokeOnlyWhatIsOurs: b, ask-access-grants: c, Gone: d}", "Gone"),
    ],
    ids=["statements without a sentence", "a sentence without a statement"],
)
def test_a_statement_has_one_sentence_and_a_sentence_its_statement(sentences: str, wrong: str):
    with pytest.raises(Unexplained, match=wrong):
        fresh("", holders((HERE / "small.yaml",)), load(f"statements: {sentences}"), Kept("", 0, {}, {}), [])
