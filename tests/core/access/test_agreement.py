"""The index answers every question as the sandbox's GetDataAccess does.

QUESTIONS=1000000 asks as many; SEED chooses others.
"""

import os
from random import Random

import pytest

from tests.core.access.random_access import ask_questions, make_account

QUESTIONS = int(os.environ.get("QUESTIONS", "20000"))
SEED = int(os.environ.get("SEED", "1"))
ACCOUNTS = 40


@pytest.mark.parametrize("number", range(ACCOUNTS))
def test_the_index_answers_as_get_data_access_does(number: int) -> None:
    random = Random(f"{SEED} {number}")
    yes = no = 0
    while yes + no < QUESTIONS // ACCOUNTS:
        account = make_account(random)
        index = account.read_index()
        for principal, permission, target, minimal in ask_questions(random, 50):
            given = account.ask(principal, permission, target, minimal=minimal)
            ours = index.decide(principal, permission, target, minimal=minimal)
            question = f"{principal} {permission} {target} {minimal}"
            assert (ours.is_yes, ours.scope) == (given.is_yes, given.scope), question
            if ours.grant and given.grant:
                assert ours.grant.grantee == given.grant.grantee, question
            yes, no = yes + ours.is_yes, no + (not ours.is_yes)
    assert yes > 20
    assert no > 20
