"""All that one Grantor stands in, laid out on a sandbox without a deploy, so that a test has it in
half a second.

estate = lay(sandbox)                  buckets, ledger, queue, topic, instance, location, the domain with its profiles
estate.policy("a", rules)              a policy file is dropped
estate.run()                           one ordinary run, of the very engine that the function runs
estate.grants()                        who has what, as an auditor sees it
"""

import json
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.session

from grantor.aws.clients import Clients, prepare_session
from grantor.aws.services import Services, StackNames
from grantor.core.grant import Grant, LedgerEntry
from grantor.core.planning.plan import Change
from grantor.core.planning.rendering import Home, describe_change, describe_grant
from grantor.core.triggers import Trigger
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from grantor.reconcile.report import Report
from sandbox.testing.helpers import call_control, reset_sandbox
from sandbox.testing.running import MODELS, remove_account_prefix
from tests.conftest import ACCOUNT, REGION, Sandbox

DOMAIN = "Product-Domain"
DATA, POLICIES, LEDGER, STACK = "data", "policies", "ledger", "grantor"
HOME = Home("aws", ACCOUNT)
WARM: dict[str, Clients] = {}  # by the sandbox's address
EVERYTHING = [Trigger("clock", ("everything",))]
ARTICLE = """\
version: 1
rules:
  - name: product-team
    to: {profiles: {domain: Product-Domain}}
    on: s3://{data_bucket}/Product/*
    allow: READWRITE
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
"""


@dataclass
class Estate:
    """One stack's things, by the names above."""

    sandbox: Sandbox
    config: Path  # an AWS configuration file that leads boto3 to the sandbox
    domain: str = ""  # the id of DOMAIN
    names: StackNames = field(init=False)
    own: Clients | None = (
        None  # since a fault was asked for: throttled clients slow down, and none is to inherit that
    )

    def __post_init__(self) -> None:
        queue = f"{self.sandbox.url}/{ACCOUNT}/event-queue"
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
        self.names = StackNames(STACK, ACCOUNT, DATA, POLICIES, LEDGER, queue, topic)

    def client(self, service: str) -> Any:
        return self.sandbox.shared(service)

    def world(self, keys: dict[str, str] | None = None) -> Services:
        """A fresh world, as a cold function has it; with these keys, else the administrator's."""
        clients = Clients()
        clients.session = session(
            self.config, keys or {"AccessKeyId": "test", "SecretAccessKey": "test"}
        )
        return Services(self.names, clients)

    def warm(self) -> Services:
        """A world that knows nothing yet, with clients that others have used, which spares a test
        most of its time.
        """
        if self.sandbox.url not in WARM:
            WARM[self.sandbox.url] = self.world().clients
        return Services(self.names, self.own or WARM[self.sandbox.url])

    def run(self, *triggers: Trigger, world: Services | None = None) -> Report:
        """The last of the runs that the triggers cause; without triggers, one about everything."""
        chosen = world or self.warm()
        return run_until_drained(
            chosen,
            list(triggers) or EVERYTHING,
            chosen.clock() + 600,
            partial(publish_quietly, chosen),
        )[-1]

    def policy(self, name: str, text: str) -> None:
        """Drop policy/NAME.yaml."""
        self.client("s3").put_object(Bucket=POLICIES, Key=f"policy/{name}.yaml", Body=text.encode())

    def no_policy(self, name: str) -> None:
        self.client("s3").delete_object(Bucket=POLICIES, Key=f"policy/{name}.yaml")

    def role(self, name: str) -> str:
        """The ARN of a role that SageMaker may assume, made if there is none."""
        iam = self.client("iam")
        try:
            return str(iam.get_role(RoleName=name)["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException:
            return str(
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("sagemaker"))["Role"][
                    "Arn"
                ]
            )

    def profile(self, name: str, role: str = "", **tags: str) -> str:
        """A Studio profile with a role of its own, or the named one; its role's ARN."""
        arn = self.role(role or f"role-{name}")
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.client("sagemaker").create_user_profile(
            DomainId=self.domain,
            UserProfileName=name,
            UserSettings={"ExecutionRole": arn},
            Tags=listed,
        )
        return arn

    def no_profile(self, name: str) -> None:
        """Delete a Studio profile, once it has settled: Studio changes none before."""
        self.settle(name)
        self.client("sagemaker").delete_user_profile(DomainId=self.domain, UserProfileName=name)

    def settle(self, *names: str) -> None:
        """Wait until Studio has made or changed these profiles."""
        end, studio = time.monotonic() + 20, self.client("sagemaker")
        while any(
            studio.describe_user_profile(DomainId=self.domain, UserProfileName=n)["Status"]
            != "InService"
            for n in names
        ):
            assert time.monotonic() < end, f"{names} were not ready in 20 s"
            time.sleep(0.02)

    def profile_trigger(self, name: str) -> Trigger:
        return Trigger("profile", (f"profile {self.domain}/{name}",))

    def upload(self, key: str) -> Trigger:
        """Put an object into the data bucket; the trigger that follows."""
        self.client("s3").put_object(Bucket=DATA, Key=key, Body=b"1,2,3")
        return Trigger("data", (f"data s3://{DATA}/{key[: key.rfind('/') + 1]}",))

    def foreign(self, scope: str, role: str, permission: str = "READ") -> str:
        """A grant that somebody else made; its id. `scope` is below the data bucket."""
        made = self.client("s3control").create_access_grant(
            AccountId=ACCOUNT, AccessGrantsLocationId=self.location(), Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": scope},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": role},
        )  # fmt: skip
        return str(made["AccessGrantId"])

    def location(self) -> str:
        listed = self.client("s3control").list_access_grants_locations(AccountId=ACCOUNT)[
            "AccessGrantsLocationsList"
        ]
        return str(listed[0]["AccessGrantsLocationId"])

    def actual(self) -> dict[Grant, str]:
        """Every grant that exists, with its id."""
        return self.warm().grants.list_grants()

    def grants(self) -> set[str]:
        """Every grant that exists, as a person reads it."""
        return {describe_grant(grant, HOME) for grant in self.actual()}

    def entries(self) -> dict[Grant, LedgerEntry]:
        """Every grant that the ledger knows."""
        return {entry.grant: entry for entry in self.warm().ledger.iterate_entries()}

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on these calls are struck; none at all forgets every fault."""
        call_control(self.sandbox, "faults", "DELETE")
        if rules or self.own:
            self.own = self.world().clients
        if rules:
            call_control(self.sandbox, "faults", "POST", {"rules": list(rules)})

    def switches(self, **values: Any) -> None:
        """From now on Access Grants behaves so; see docs/sandbox.md."""
        call_control(self.sandbox, "faults", "POST", {"switches": values})

    def calls(self, service: str = "s3control") -> dict[str, int]:
        """How often each operation of the service was called since `forget_calls`."""
        counted: dict[str, int] = {}
        for row in call_control(self.sandbox, "calls"):
            if row["service"] == service:
                counted[row["operation"]] = (
                    counted.get(row["operation"], 0) + row["answered"] + row["refused"]
                )
        return counted

    def forget_calls(self) -> None:
        call_control(self.sandbox, "calls", "DELETE")


def lay(sandbox: Sandbox, folder: Path, profiles: Iterable[str] = ("userA", "userB")) -> Estate:
    """Everything anew, and nothing else: the sandbox forgets what was there."""
    reset_sandbox(sandbox)
    config = folder / "aws-config"
    config.write_text(f"[default]\nregion = {REGION}\nendpoint_url = {sandbox.url}\n")
    estate = Estate(sandbox, config)
    _buckets(estate)
    _access_grants(estate)
    _studio(estate, profiles)
    estate.client("sqs").create_queue(QueueName="event-queue")
    estate.client("sns").create_topic(Name="alerts")
    return estate


def _buckets(estate: Estate) -> None:
    s3 = estate.client("s3")
    for bucket in (DATA, POLICIES):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    estate.client("dynamodb").create_table(
        TableName=LEDGER, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
    )  # fmt: skip


def _access_grants(estate: Estate) -> None:
    control = estate.client("s3control")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    role = estate.client("iam").create_role(
        RoleName="location", AssumeRolePolicyDocument=trust("access-grants.s3")
    )["Role"]["Arn"]
    control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{DATA}/", IAMRoleArn=role
    )


def _studio(estate: Estate, profiles: Iterable[str]) -> None:
    made = estate.client("sagemaker").create_domain(
        DomainName=DOMAIN, AuthMode="IAM", DefaultUserSettings={"ExecutionRole": estate.role("domain-default")},
        VpcId="vpc-1", SubnetIds=["subnet-1"],
    )  # fmt: skip
    estate.domain = made["DomainArn"].rpartition("/")[2]
    for name in profiles:
        estate.profile(name)


def sentences(changes: Iterable[Change]) -> list[str]:
    """The changes as a person reads them."""
    return [describe_change(change, HOME) for change in changes]


def trust(service: str) -> str:
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def session(config: Path, keys: dict[str, str]) -> boto3.Session:
    """A session as a function has one, but led to the sandbox by a configuration file instead of by
    its environment.
    """
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    core.set_config_variable("config_file", str(config))
    core.register("before-sign.s3-control", remove_account_prefix)
    return boto3.Session(
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys.get("SessionToken"),
        REGION,
        prepare_session(core),
    )


def health(sandbox: Sandbox) -> bool:
    with urllib.request.urlopen(f"{sandbox.url}/_ministack/health") as answer:
        return bool(answer.status == 200)
