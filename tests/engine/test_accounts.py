"""Two plans that differ only in the account of a grantee have different texts and hashes, and need
separate approvals (field case 01).
"""

from grantor.core.planning.rendering import decode_change, describe_change
from tests.engine.helpers import AlertInbox, build_rules, find_report_lines
from tests.grantor_setup import HOME, GrantorSetup, describe_changes

OWN, THEIRS = "arn:aws:iam::000000000000:role/auditor", "arn:aws:iam::999999999999:role/auditor"

BOTH_ACCOUNTS = '  policy/: {accounts: [own, "999999999999"]}\n'


def give_last_rule_to_other_account(text: str) -> str:
    """The same rules, the last of them for the role of the same name in another account."""
    head, _, last = text.rpartition(OWN)
    return head + THEIRS + last


def describe_pending_plan(setup: GrantorSetup, plan_hash: str) -> list[str]:
    """The changes of a plan that waits for an approval, as the approver sees them."""
    store = setup.build_warm_services().run_store
    plans = {plan.hash: plan for plan in store.list_pending_plans()}
    changes = store.read_plan_document(plans[plan_hash])["changes"]
    return [describe_change(decode_change(value), HOME) for value in changes]


def test_a_role_of_another_account_is_shown_by_its_full_arn(setup: GrantorSetup) -> None:
    setup.create_role("auditor")
    setup.put_bounds(BOTH_ACCOUNTS)
    setup.put_policy("many", give_last_rule_to_other_account(build_rules(2)))
    setup.decide(setup.reconcile())  # the guard asks about other accounts
    done = describe_changes(setup.reconcile().done)

    assert done == [
        "+ READ s3://data/00/* to role/auditor, because policy/many.yaml#r00",
        f"+ READ s3://data/01/* to {THEIRS}, because policy/many.yaml#r01",
    ]
    assert {grant.grantee.identifier for grant in setup.list_grants()} == {OWN, THEIRS}


def test_the_approval_of_a_plan_does_not_apply_one_that_differs_only_in_an_account(
    setup: GrantorSetup,
) -> None:
    setup.create_role("auditor")
    setup.put_bounds(BOTH_ACCOUNTS)
    setup.put_policy("many", build_rules(30))
    setup.reconcile()
    setup.put_policy("many", build_rules(5))
    first = setup.reconcile()
    shown = describe_pending_plan(setup, first.approval.hash)
    setup.put_policy("many", give_last_rule_to_other_account(build_rules(30)))
    setup.decide(setup.reconcile())
    assert not setup.reconcile().approval.is_pending

    setup.decide(first)
    setup.put_policy("many", build_rules(5))
    alerts = AlertInbox(setup)
    second = setup.reconcile()
    plans = [shown, describe_pending_plan(setup, second.approval.hash)]

    assert second.approval.hash != first.approval.hash
    assert set(plans[1]) - set(plans[0]) == {
        f"- READ s3://data/29/* to {THEIRS}, no longer because policy/many.yaml#r29"
    }
    assert len(set(plans[0]) & set(plans[1])) == len(plans[0]) - 1
    assert (second.approval.is_pending, second.done, len(setup.describe_grants())) == (True, [], 30)
    assert alerts.read_new() == [
        (
            "Grantor grantor: a plan requires an approval",
            "\n".join(find_report_lines(second, "approval")),
        )
    ]

    setup.decide(second)
    assert (setup.reconcile().deleted, len(setup.describe_grants())) == (25, 5)
