"""The doubles of the simulation answer as the sandbox does, on random calls of each service."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulation.choices import Choices
from simulation.doubles.gate import ServiceError
from simulation.doubles.objects import Objects
from simulation.doubles.table import Table
from simulation.estate import START
from simulation.scheduler import Scheduler
from simulation.world import World
from tests.conftest import ACCOUNT, Sandbox
from tests.grantor_setup import LEDGER, POLICIES, GrantorSetup, set_up_grantor

NAMED_ANEW = {  # what each side names for itself
    "VersionId",
    "AccessGrantId",
    "AccessGrantArn",
    "AccessGrantsLocationId",
    "LastModified",
    "CreatedAt",
    "ContinuationToken",
    "NextContinuationToken",
    "NextToken",
    "IAMRoleArn",
    "AccessGrantsLocationArn",
}
CALLS = 250


@dataclass
class Sides:
    """A double and the sandbox, which get the same calls; names that each gives are translated."""

    double: Any
    real: Any
    names: dict[str, str] = field(default_factory=dict)  # the double's: the sandbox's

    def call(self, method: str, **request: Any) -> Any:
        """Make a call on both sides; the double's answer, which must be in the sandbox's."""
        mine = ask(lambda: getattr(self.double, method)(request))
        theirs = ask(lambda: getattr(self.real, method)(**self._translate(request)))
        self._compare(f"{method} {request}", mine, theirs)
        return mine

    def _compare(self, where: str, mine: Any, theirs: Any) -> None:
        if isinstance(mine, Mapping):
            for name, value in mine.items():
                if name in NAMED_ANEW and isinstance(value, str):
                    self.names[value] = theirs[name]
                elif name == "Body":
                    assert value.read() == theirs[name].read(), where
                elif name not in NAMED_ANEW:
                    assert name in theirs, f"{where}: the sandbox answers {theirs}, not {name}"
                    self._compare(where, value, theirs[name])
        elif isinstance(mine, list | tuple):
            assert len(mine) == len(theirs), f"{where}: {mine} and {theirs}"
            for one, other in zip(mine, theirs, strict=True):
                self._compare(where, one, other)
        else:
            assert mine == theirs, where

    def _translate(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._translate(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._translate(inner) for inner in value]
        return self.names.get(value, value) if isinstance(value, str) else value


def ask(call: Callable[[], Any]) -> Any:
    """What a call answers, or the code of its refusal and why a transaction was cancelled."""
    try:
        return call()
    except ServiceError as error:
        reasons = error.more.get("CancellationReasons", [])
        return ("refused", error.code, [one["Code"] for one in reasons])
    except ClientError as error:
        answer: Any = error.response
        reasons = answer.get("CancellationReasons", [])
        return ("refused", answer["Error"]["Code"], [one["Code"] for one in reasons])


@pytest.fixture(scope="module")
def setup(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> GrantorSetup:
    return set_up_grantor(start_sandbox(), tmp_path_factory.mktemp("contract"))


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(Choices(record=()), START)


@pytest.mark.parametrize("page", [1000, 2])
def test_the_table_answers_as_dynamodb_does(setup: GrantorSetup, scheduler: Scheduler, page: int):
    sides = Sides(Table(scheduler, Choices(record=()), 1000), setup.client("dynamodb"))
    dice = random.Random(page)

    for call, request in draw_table_calls(dice, CALLS):
        sides.call(call, TableName=LEDGER, **request)


def draw_table_calls(dice: random.Random, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Random calls as the product makes them, on a few keys."""
    for _ in range(count):
        key = {"pk": {"S": dice.choice("ab")}, "sk": {"S": dice.choice("123")}}
        item = {**key, "rev": {"N": str(dice.randrange(3))}, dice.choice("xy"): {"S": "v"}}
        if dice.random() < 0.3:
            item["approves"] = {"S": "h"}
        seen = {":seen": {"N": str(dice.randrange(3))}}
        yield dice.choice(
            (
                ("get_item", {"Key": key, "ConsistentRead": True}),
                ("put_item", {"Item": item}),
                ("delete_item", {"Key": key}),
                (
                    "put_item",
                    {
                        "Item": item,
                        "ConditionExpression": "attribute_not_exists(rev) OR rev = :seen",
                        "ExpressionAttributeValues": seen,
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    },
                ),
                ("query", draw_query(dice)),
                (
                    "scan",
                    {
                        "FilterExpression": "attribute_exists(#x) OR attribute_exists(#y)",
                        "ExpressionAttributeNames": {"#x": "x", "#y": "approves"},
                    },
                ),
            )
        )


def draw_query(dice: random.Random) -> dict[str, Any]:
    values = {":pk": {"S": dice.choice("abc")}}
    return {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
        "ScanIndexForward": dice.random() < 0.5,
    }


def test_transactions_answer_as_dynamodbs_do(setup: GrantorSetup, scheduler: Scheduler):
    sides = Sides(Table(scheduler, Choices(record=()), 1000), setup.client("dynamodb"))
    dice = random.Random(3)

    for _ in range(CALLS):
        keys = dice.sample([(pk, sk) for pk in "de" for sk in "12"], 3)
        check, put, gone = ({"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys)
        token = {":t": {"N": str(dice.randrange(2))}, ":h": {"S": "h"}}
        condition = {
            "Key": check,
            "ConditionExpression": "#token = :t AND holder = :h",
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": token,
        }
        made = {**put, "token": token[":t"], "holder": {"S": dice.choice("hi")}}
        actions = [{"ConditionCheck": condition}] if dice.random() < 0.6 else []
        actions += [{"Put": {"Item": made}}, {"Delete": {"Key": gone}}]
        named = [
            {kind: {**what, "TableName": LEDGER} for kind, what in action.items()}
            for action in actions
        ]
        sides.call("transact_write_items", TransactItems=named)
        gets = [{"Get": {"Key": one, "TableName": LEDGER}} for one in (check, put, gone)]
        sides.call("transact_get_items", TransactItems=gets)


@pytest.mark.parametrize("seed", range(2))
def test_the_buckets_answer_as_s3_does(setup: GrantorSetup, scheduler: Scheduler, seed: int):
    objects = Objects(scheduler)
    objects.create_bucket(POLICIES)
    sides, dice = Sides(objects, setup.client("s3")), random.Random(seed)
    keys = [f"contract{seed}/{name}" for name in ("a", "b/c", "b/d", "e f")]
    versions: dict[str, list[str]] = {key: [] for key in keys}

    for _ in range(CALLS):
        key = dice.choice(keys)
        method, request = draw_object_call(dice, key, versions[key])
        made = sides.call(method, Bucket=POLICIES, **request)
        if method in ("put_object", "delete_object") and isinstance(made, Mapping):
            versions[key].append(made["VersionId"])


def draw_object_call(
    dice: random.Random, key: str, versions: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """A random call on one key."""
    folder = key.partition("/")[0]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("put_object", {"Key": key, "Body": dice.choice((b"x", b"", b"longer"))}),
        ("put_object", {"Key": key, "Body": b"new", "IfNoneMatch": "*"}),
        ("delete_object", {"Key": key}),
        ("get_object", {"Key": key}),
        ("get_object", {"Key": key, "Range": "bytes=0-0"}),
        ("list_objects_v2", {"Prefix": f"{folder}/"}),
        ("list_objects_v2", {"Prefix": f"{folder}/", "Delimiter": "/"}),
    ]
    if versions:
        calls.append(("get_object", {"Key": key, "VersionId": dice.choice(versions)}))
    return dice.choice(calls)


@pytest.fixture
def world() -> World:
    return World(record=())


def test_access_grants_answers_as_the_server_does(setup: GrantorSetup, world: World):
    """The rules are the server's own; what is compared is how the double calls them."""
    sides, dice = Sides(world.cloud.grants, setup.client("s3control")), random.Random(5)
    roles = [setup.create_role(f"contract-{name}") for name in "ab"]
    for role in roles:
        world.cloud.roles.create_role(role, late=0)
    world.cloud.grants.service.account = ACCOUNT
    world.cloud.roles._account = ACCOUNT
    (location,) = world.cloud.grants.location_ids
    listed = setup.client("s3control").list_access_grants_locations(AccountId=ACCOUNT)
    sides.names[location] = listed["AccessGrantsLocationsList"][0]["AccessGrantsLocationId"]
    ids: list[str] = []

    for _ in range(CALLS):
        method, request = draw_grant_call(dice, location, roles, ids)
        made = sides.call(method, AccountId=ACCOUNT, **request)
        if method == "create_access_grant" and isinstance(made, Mapping):
            ids.append(made["AccessGrantId"])


def draw_grant_call(
    dice: random.Random, location: str, roles: Sequence[str], ids: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    who = dice.choice([*roles, "arn:aws:iam::000000000000:role/nobody"])
    create = {
        "AccessGrantsLocationId": location,
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": dice.choice(("a/*", "b/*", "c*d"))},
        "Grantee": {"GranteeType": "IAM", "GranteeIdentifier": who},
        "Permission": dice.choice(("READ", "WRITE", "READWRITE")),
        "Tags": [{"Key": "grantor:stack", "Value": "grantor"}],
    }
    one = dice.choice(ids) if ids else "00000000-0000-0000-0000-000000000000"
    listed = {"GranteeType": "IAM", "GranteeIdentifier": who}
    return dice.choice(
        (
            ("create_access_grant", create),
            ("delete_access_grant", {"AccessGrantId": one}),
            ("get_access_grant", {"AccessGrantId": one}),
            ("list_access_grants", {}),
            ("list_access_grants", listed),
        )
    )


def test_studio_answers_as_sagemaker_does(setup: GrantorSetup, world: World):
    studio, real = world.cloud.studio, setup.client("sagemaker")
    (domain,) = studio.domains.values()
    domain.name = real.list_domains()["Domains"][0]["DomainName"]
    sides = Sides(studio, real, {domain.id: setup.domain})
    profiles = real.list_user_profiles(DomainIdEquals=setup.domain)["UserProfiles"]
    for one in profiles:
        name = one["UserProfileName"]
        described = real.describe_user_profile(DomainId=setup.domain, UserProfileName=name)
        world.cloud.put_profile(name, described["UserSettings"]["ExecutionRole"])

    for name in (*domain.profiles, "nobody"):
        found = ask(
            lambda name=name: studio.describe_user_profile(
                {"DomainId": domain.id, "UserProfileName": name}
            )
        )
        theirs = ask(
            lambda name=name: real.describe_user_profile(
                DomainId=setup.domain, UserProfileName=name
            )
        )
        assert select(found) == select(theirs)
    listed = studio.list_user_profiles({"DomainIdEquals": domain.id})["UserProfiles"]
    assert [select(one) for one in listed] == [select(one) for one in profiles]
    assert sides.call("list_user_profiles", DomainIdEquals="d-missing") == {"UserProfiles": []}


def select(answer: Any) -> Any:
    """What a run reads of a profile."""
    if not isinstance(answer, Mapping):
        return answer
    names = ("UserProfileName", "Status", "UserSettings")
    return {name: answer[name] for name in names if name in answer}
