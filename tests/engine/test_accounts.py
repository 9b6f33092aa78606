"""Two plans that differ only in a grantee's account are two plans: in text, in hash, and for an
approval (field case 01).
"""

from datetime import UTC, datetime

from grantor.core.planning.rendering import decode_change, describe_change
from tests.engine.watch import Calls, rules, said
from tests.estate import HOME, Estate, sentences

OWN, THEIRS = "arn:aws:iam::000000000000:role/auditor", "arn:aws:iam::999999999999:role/auditor"


def with_their_role(text: str) -> str:
    """The same rules, the last of them for the role of the same name in another account."""
    head, _, last = text.rpartition(OWN)
    return head + THEIRS + last


def pending_lines(estate: Estate, plan_hash: str) -> list[str]:
    """The changes of a plan that waits for an approval, as the approver sees them."""
    plans = {plan.hash: plan for plan in estate.warm().run_store.list_pending_plans()}
    return [
        describe_change(decode_change(value), HOME)
        for value in plans[plan_hash].document["changes"]
    ]


def test_a_role_of_another_account_is_shown_by_its_full_arn(estate: Estate) -> None:
    estate.role("auditor")
    estate.policy("many", with_their_role(rules(2)))
    done = sentences(estate.run().done)

    assert done == [
        "+ READ s3://data/00/* to role/auditor, because policy/many.yaml#r00",
        f"+ READ s3://data/01/* to {THEIRS}, because policy/many.yaml#r01",
    ]
    assert {grant.grantee.identifier for grant in estate.actual()} == {OWN, THEIRS}


def test_the_approval_of_a_plan_does_not_apply_one_that_differs_only_in_an_account(
    estate: Estate,
) -> None:
    estate.role("auditor")
    estate.policy("many", rules(30))
    estate.run()
    estate.policy("many", rules(5))
    first = estate.run()
    estate.policy("many", with_their_role(rules(30)))
    assert not estate.run().approval.is_pending

    estate.warm().run_store.record_approval(first.approval.hash, "eva", datetime.now(UTC))
    estate.policy("many", rules(5))
    alerts = Calls(estate)
    second = estate.run()
    plans = [pending_lines(estate, run.approval.hash) for run in (first, second)]

    assert second.approval.hash != first.approval.hash
    assert set(plans[1]) - set(plans[0]) == {
        f"- READ s3://data/29/* to {THEIRS}, no longer because policy/many.yaml#r29"
    }
    assert len(set(plans[0]) & set(plans[1])) == len(plans[0]) - 1
    assert (second.approval.is_pending, second.done, len(estate.grants())) == (True, [], 30)
    assert alerts.new() == [
        ("Grantor grantor: a plan requires an approval", "\n".join(said(second, "approval")))
    ]

    estate.warm().run_store.record_approval(second.approval.hash, "eva", datetime.now(UTC))
    assert (estate.run().deleted, len(estate.grants())) == (25, 5)
