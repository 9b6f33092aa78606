"""The resources of one Grantor stack on a sandbox, without a deployment: they take half a second.

setup = set_up_grantor(sandbox, tmp_path)  buckets, ledger, queue, topic, Access Grants, Studio
setup.put_policy("a", rules)               upload policy/a.yaml
setup.reconcile()                          one run of the code that the function runs
setup.describe_grants()                    every grant that exists, as a sentence
"""

import json
import secrets
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import botocore.session

from grantor.aws.clients import Clients, prepare_session
from grantor.aws.services import Services, StackNames
from grantor.core.grant import Grant, LedgerEntry
from grantor.core.planning.approvals import Decision
from grantor.core.planning.bounds import BOUNDS_FILE
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
OPERATIONS = "operations"
HOME = Home("aws", ACCOUNT)
WARM_CLIENTS: dict[str, Clients] = {}  # by the sandbox's address
EVERYTHING = [Trigger("clock", ("everything",))]
ARTICLE_POLICY = """\
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
class GrantorSetup:
    """The resources of one stack, and what a test does with them."""

    sandbox: Sandbox
    config: Path  # an AWS configuration file with the endpoint of the sandbox
    domain: str = ""  # the id of DOMAIN
    names: StackNames = field(init=False)
    own_clients: Clients | None = (
        # Since a fault was asked for: throttled clients slow down, and none is to inherit that
        None
    )

    def __post_init__(self) -> None:
        queue = f"{self.sandbox.url}/{ACCOUNT}/event-queue"
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
        self.names = StackNames(
            STACK, ACCOUNT, DATA, POLICIES, LEDGER, queue, topic, operations_bucket=OPERATIONS
        )

    def client(self, service: str) -> Any:
        return self.sandbox.shared(service)

    def build_services(self, keys: dict[str, str] | None = None) -> Services:
        """Build services as a cold function has them, by default with administrator keys."""
        clients = Clients()
        clients.session = build_session(self.config, keys or self.sandbox.root_keys)
        return Services(self.names, clients)

    def build_warm_services(self) -> Services:
        """Build services without cached data, with clients that are already in use.

        Creating clients takes most of the time of a test.
        """
        if self.sandbox.url not in WARM_CLIENTS:
            WARM_CLIENTS[self.sandbox.url] = self.build_services().clients
        return Services(self.names, self.own_clients or WARM_CLIENTS[self.sandbox.url])

    def reconcile(self, *triggers: Trigger, services: Services | None = None) -> Report:
        """Run for the triggers, by default for everything; return the report of the last run."""
        chosen = services or self.build_warm_services()
        return run_until_drained(
            chosen,
            list(triggers) or EVERYTHING,
            chosen.clock() + 600,
            partial(publish_quietly, chosen),
        )[-1]

    def decide(
        self, report: Report, approves: bool = True, user: str = "AROAANA:ana", **more: Any
    ) -> Decision:
        """Approve or reject the plan of the report, as the client of this person does."""
        values = {"because": "it is meant", "id": secrets.token_hex(8)} | more
        decision = Decision(user, report.approval.nonce, approves, **values)
        store = self.build_warm_services().run_store
        store.record_decision(report.approval.hash, decision, datetime.now(UTC))
        return decision

    def put_bounds(self, text: str) -> None:
        """Upload bounds/bounds.yaml; `text` are its folders, each as a line of YAML."""
        body = f"version: 1\nfolders:\n{text}".encode()
        self.client("s3").put_object(Bucket=POLICIES, Key=BOUNDS_FILE, Body=body)

    def put_policy(self, name: str, text: str) -> None:
        """Upload policy/NAME.yaml."""
        self.client("s3").put_object(Bucket=POLICIES, Key=f"policy/{name}.yaml", Body=text.encode())

    def delete_policy(self, name: str) -> None:
        self.client("s3").delete_object(Bucket=POLICIES, Key=f"policy/{name}.yaml")

    def create_role(self, name: str) -> str:
        """Create a role that SageMaker may assume unless it exists; return its ARN."""
        iam = self.client("iam")
        try:
            return str(iam.get_role(RoleName=name)["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException:
            return str(
                iam.create_role(
                    RoleName=name, AssumeRolePolicyDocument=build_trust_policy("sagemaker")
                )["Role"]["Arn"]
            )

    def create_profile(self, name: str, role: str = "", **tags: str) -> str:
        """Create a Studio profile with this role or one of its own; return the role's ARN."""
        arn = self.create_role(role or f"role-{name}")
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.client("sagemaker").create_user_profile(
            DomainId=self.domain,
            UserProfileName=name,
            UserSettings={"ExecutionRole": arn},
            Tags=listed,
        )
        return arn

    def delete_profile(self, name: str) -> None:
        """Delete a Studio profile once it is in service: Studio changes none before."""
        self.wait_for_profiles(name)
        self.client("sagemaker").delete_user_profile(DomainId=self.domain, UserProfileName=name)

    def wait_for_profiles(self, *names: str) -> None:
        """Wait until these profiles are in service."""
        end, studio = time.monotonic() + 20, self.client("sagemaker")
        while any(
            studio.describe_user_profile(DomainId=self.domain, UserProfileName=n)["Status"]
            != "InService"
            for n in names
        ):
            assert time.monotonic() < end, f"{names} were not ready in 20 s"
            time.sleep(0.02)

    def build_profile_trigger(self, name: str) -> Trigger:
        return Trigger("profile", (f"profile {self.domain}/{name}",))

    def upload(self, key: str) -> Trigger:
        """Upload an object to the data bucket; return the trigger that this causes."""
        self.client("s3").put_object(Bucket=DATA, Key=key, Body=b"1,2,3")
        return Trigger("data", (f"data s3://{DATA}/{key[: key.rfind('/') + 1]}",))

    def create_unmanaged_grant(self, scope: str, role: str, permission: str = "READ") -> str:
        """Create a grant as somebody else would; return its id. `scope` is a path in the bucket."""
        made = self.client("s3control").create_access_grant(
            AccountId=ACCOUNT,
            AccessGrantsLocationId=self.find_location_id(),
            Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": scope},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": role},
        )
        return str(made["AccessGrantId"])

    def find_location_id(self) -> str:
        listed = self.client("s3control").list_access_grants_locations(AccountId=ACCOUNT)[
            "AccessGrantsLocationsList"
        ]
        return str(listed[0]["AccessGrantsLocationId"])

    def list_grants(self) -> dict[Grant, str]:
        """List every grant that exists, with its id."""
        return self.build_warm_services().grants.list_grants()

    def describe_grants(self) -> set[str]:
        """Return every grant that exists, as a sentence."""
        return {describe_grant(grant, HOME) for grant in self.list_grants()}

    def read_ledger(self) -> dict[Grant, LedgerEntry]:
        """Return the ledger's entry of each grant that it knows."""
        return {entry.grant: entry for entry in self.build_warm_services().ledger.iterate_entries()}

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Make these calls fail from now on; without rules, remove all faults."""
        call_control(self.sandbox, "faults", "DELETE")
        if rules or self.own_clients:
            self.own_clients = self.build_services().clients
        if rules:
            call_control(self.sandbox, "faults", "POST", {"rules": list(rules)})

    def set_switches(self, **values: Any) -> None:
        """Set switches of the sandbox's Access Grants; see docs/sandbox.md."""
        call_control(self.sandbox, "faults", "POST", {"switches": values})

    def count_calls(self, service: str = "s3control") -> dict[str, int]:
        """Count the calls of each operation since `reset_call_counts`."""
        counted: dict[str, int] = {}
        for row in call_control(self.sandbox, "calls"):
            if row["service"] == service:
                counted[row["operation"]] = (
                    counted.get(row["operation"], 0) + row["answered"] + row["refused"]
                )
        return counted

    def reset_call_counts(self) -> None:
        call_control(self.sandbox, "calls", "DELETE")


def set_up_grantor(
    sandbox: Sandbox, folder: Path, profiles: Iterable[str] = ("userA", "userB")
) -> GrantorSetup:
    """Reset the sandbox and create the resources of one stack, with these Studio profiles."""
    reset_sandbox(sandbox)
    config = folder / "aws-config"
    config.write_text(f"[default]\nregion = {REGION}\nendpoint_url = {sandbox.url}\n")
    setup = GrantorSetup(sandbox, config)
    _create_storage(setup)
    _create_access_grants(setup)
    _create_studio(setup, profiles)
    setup.client("sqs").create_queue(QueueName="event-queue")
    setup.client("sns").create_topic(Name="alerts")
    return setup


def _create_storage(setup: GrantorSetup) -> None:
    s3 = setup.client("s3")
    for bucket in (DATA, POLICIES):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.create_bucket(Bucket=OPERATIONS)
    setup.client("dynamodb").create_table(
        TableName=LEDGER,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "approves", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "approvals",
                "KeySchema": [
                    {"AttributeName": "approves", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def _create_access_grants(setup: GrantorSetup) -> None:
    control = setup.client("s3control")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    role = setup.client("iam").create_role(
        RoleName="location", AssumeRolePolicyDocument=build_trust_policy("access-grants.s3")
    )["Role"]["Arn"]
    control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{DATA}/", IAMRoleArn=role
    )


def _create_studio(setup: GrantorSetup, profiles: Iterable[str]) -> None:
    made = setup.client("sagemaker").create_domain(
        DomainName=DOMAIN,
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": setup.create_role("domain-default")},
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
    )
    setup.domain = made["DomainArn"].rpartition("/")[2]
    for name in profiles:
        setup.create_profile(name)


def describe_changes(changes: Iterable[Change]) -> list[str]:
    """Return each change as a sentence."""
    return [describe_change(change, HOME) for change in changes]


def build_trust_policy(service: str) -> str:
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def build_session(config: Path, keys: dict[str, str]) -> botocore.session.Session:
    """Build a session like that of a function.

    The endpoint of the sandbox comes from a configuration file instead of the environment.
    """
    session = botocore.session.Session()
    session.register_component("data_loader", MODELS)
    session.set_config_variable("config_file", str(config))
    session.set_config_variable("region", REGION)
    session.set_credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"))
    session.register("before-sign.s3-control", remove_account_prefix)
    return prepare_session(session)


def is_healthy(sandbox: Sandbox) -> bool:
    with urllib.request.urlopen(f"{sandbox.url}/_ministack/health") as answer:
        return bool(answer.status == 200)
