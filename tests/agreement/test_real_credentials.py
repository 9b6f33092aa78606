"""The answers hold in a running account: GetDataAccess says the same, and the credentials that it
gives open what the answer says, and nothing else.

REAL_QUESTIONS=2000 asks as many; SEED chooses others.
"""

import os
from collections.abc import Callable, Iterator
from random import Random

import pytest

from grantor.core.grant import PERMISSIONS, Permission, covers
from tests.agreement.live_account import BUCKETS, KEYS, LiveAccount, choose_target
from tests.conftest import Sandbox

QUESTIONS = int(os.environ.get("REAL_QUESTIONS", "20"))
SEED = int(os.environ.get("SEED", "1"))
QUESTIONS_PER_FILL = 40  # with the same grants
PLACES = [(bucket, key) for bucket in BUCKETS for key in KEYS]


@pytest.fixture(scope="module")
def account(start_sandbox: Callable[..., Sandbox]) -> LiveAccount:
    return LiveAccount.create(start_sandbox())


@pytest.mark.timeout(3600)
def test_credentials_open_what_the_answer_says_and_nothing_else(account: LiveAccount) -> None:
    random, answers = Random(SEED), {True: 0, False: 0}
    for number in range(QUESTIONS):
        if number % QUESTIONS_PER_FILL == 0:
            account.fill(random)
            index = account.read_index()
        asker, target = random.choice(account.askers), choose_target(random)
        permission, minimal = random.choice(list(Permission)), random.random() < 0.3
        ours = index.decide(asker.principal, permission, target, minimal=minimal)
        given = account.ask(asker, permission, target, minimal=minimal)
        question = f"question {number}: {asker.principal} {permission} {target} {minimal}"
        assert (ours.is_yes, ours.scope) == (given is not None, given.scope if given else ""), (
            question
        )
        answers[ours.is_yes] += 1
        if given:
            rights = set(PERMISSIONS[permission].combines or (permission,))
            for allowed, (bucket, key) in choose_objects(random, ours.reach, rights):
                may = account.list_allowed(given, bucket, key)
                assert may == allowed, f"{question}: {ours.reach} and {bucket}/{key}"
    assert min(answers.values()) > QUESTIONS // 20


def choose_objects(
    random: Random, reach: str, rights: set[Permission]
) -> Iterator[tuple[set[Permission], tuple[str, str]]]:
    """An object inside of what credentials reach, with these rights, and one outside, with none."""
    inside = [place for place in PLACES if covers(reach, "s3://{}/{}".format(*place))]
    outside = [place for place in PLACES if place not in inside]
    nothing: set[Permission] = set()
    for places, allowed in ((inside, rights), (outside, nothing)):
        if places:
            yield allowed, random.choice(places)
