"""What the templates give, and what docs/security.md says about it."""

from pathlib import Path

import pytest

from iam_audit.kept_record import KeptRecord
from iam_audit.page import PAGE, MissingReasonError, build_page, render_page
from iam_audit.permissions import AmbiguousNameError, Permission, read_holders
from iam_audit.reasons import load_reasons

HERE = Path(__file__).parent


def test_every_action_and_resource_of_a_statement_is_a_permission():
    role = read_holders((HERE / "small.yaml",))["ReconcileGrantsRole"]
    grants = (
        "arn:${AWS::Partition}:s3:${AWS::Region}:${AWS::AccountId}:access-grants/default/grant/*"
    )

    assert [
        permission for statement in role.statements for permission in statement.list_permissions()
    ] == [
        Permission(
            "ReconcileGrantsRole", "ReadPolicyFiles", "s3:GetObject", "${PolicyBucket.Arn}/policy/*"
        ),
        Permission("ReconcileGrantsRole", "DeleteOurGrants", "s3:DeleteAccessGrant", grants),
    ]


def test_two_statements_of_a_role_cannot_have_one_name(tmp_path: Path):
    twice = (HERE / "small.yaml").read_text().replace("DeleteOurGrants", "ReadPolicyFiles")
    (tmp_path / "template.yaml").write_text(twice)

    with pytest.raises(
        AmbiguousNameError, match="ReconcileGrantsRole has more than one statement ReadPolicyFiles"
    ):
        read_holders((tmp_path / "template.yaml",))


def test_the_page_is_up_to_date_with_templates_reasons_and_record():
    assert PAGE.read_text() == build_page()


@pytest.mark.parametrize(
    ("sentences", "wrong"),
    [
        ("{ReadPolicyFiles: a}", "DeleteOurGrants, ask-access-grants"),
        ("{ReadPolicyFiles: a, DeleteOurGrants: b, ask-access-grants: c, Gone: d}", "Gone"),
    ],
    ids=["statements without a sentence", "a sentence without a statement"],
)
def test_a_statement_has_one_sentence_and_a_sentence_its_statement(sentences: str, wrong: str):
    with pytest.raises(MissingReasonError, match=wrong):
        render_page(
            "",
            read_holders((HERE / "small.yaml",)),
            load_reasons(f"statements: {sentences}"),
            KeptRecord("", 0, {}, {}),
            [],
        )
