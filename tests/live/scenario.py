"""The demo's scenario on a deployed stack, with profiles, roles, a policy file and folders of its
own, all removed at the end.

It changes nothing of the stack's users: the rules of its policy file name only its own profiles and
folders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from harness.steps import expect, print_lines, step
from tests.live.deployed_stack import Stack
from tests.live.waiting import expect_eventually
from tests.live.workspace import DONE, Person, Workspace

RULES = """\
version: 1
rules:
  - name: together
    to: {{profiles: {{domain: "{domain}", names: ["{name}-*"]}}}}
    on: s3://{{data_bucket}}/{name}/*
    allow: READWRITE
  - name: own-folder
    to: {{each_profile: {{domain: "{domain}", names: ["{name}-*"]}}}}
    on: s3://{{data_bucket}}/{{profile.folder}}/*
    allow: READWRITE
"""
ROWS = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


@dataclass
class Scenario:
    """A workspace whose bucket is the stack's data bucket, and the people by their letters."""

    workspace: Workspace
    stack: Stack
    people: dict[str, Person]

    @property
    def policy_key(self) -> str:
        """The key of the policy file."""
        return f"policy/{self.workspace.name}.yaml"

    @property
    def rules(self) -> str:
        return RULES.format(domain=self.stack.domain_name, name=self.workspace.name)

    def profile_name(self, letter: str) -> str:
        return f"{self.workspace.name}-{letter}"

    def profile_folder(self, letter: str) -> str:
        """A profile's folder: its name with a capital first letter."""
        return self.profile_name(letter).capitalize() + "/"

    def expected_grants(self, *letters: str) -> set[tuple[str, str, str]]:
        """The grants that these people should have: letter, permission, scope."""
        folders = [
            (letter, folder)
            for letter in letters
            for folder in (f"{self.workspace.name}/", self.profile_folder(letter))
        ]
        return {
            (letter, "READWRITE", f"s3://{self.stack.data}/{folder}*") for letter, folder in folders
        }

    def read_grants(self) -> set[tuple[str, str, str]]:
        """Read the grants of our people: letter, permission, scope."""
        return {
            (letter, grant["Permission"], grant["GrantScope"])
            for letter, person in self.people.items()
            for grant in self.workspace.list_grants(person)
        }

    def put_rules(self, text: str) -> None:
        self.workspace.account.client("s3").put_object(
            Bucket=self.stack.policies, Key=self.policy_key, Body=text.encode()
        )

    def upload(self, key: str, body: bytes) -> None:
        """Upload data."""
        self.workspace.account.client("s3").put_object(Bucket=self.stack.data, Key=key, Body=body)

    def add_profile(self, letter: str) -> None:
        """Create a profile in the domain, with a role of its own."""
        self.people[letter] = self.workspace.create_person(service="sagemaker.amazonaws.com")
        studio, named = self.workspace.account.client("sagemaker"), self.profile_keys(letter)
        self.workspace.cleanup.add("sagemaker", "delete_user_profile", **named)
        studio.create_user_profile(
            **named,
            UserSettings={"ExecutionRole": self.people[letter].role},
            Tags=self.workspace.tags,
        )

    def delete_profile(self, letter: str) -> None:
        """Delete a profile once it is in service."""
        studio, named = self.workspace.account.client("sagemaker"), self.profile_keys(letter)
        expect_eventually(
            f"{letter}'s profile is in service",
            "InService",
            lambda: studio.describe_user_profile(**named)["Status"],
            300,
        )
        studio.delete_user_profile(**named)

    def profile_keys(self, letter: str) -> dict[str, str]:
        return {"DomainId": self.stack.domain, "UserProfileName": self.profile_name(letter)}


def run_scenario(
    workspace: Workspace, stack: Stack, more: Callable[[Scenario], None] | None = None
) -> None:
    """Run the scenario, with `more` before its end.

    Raises ExpectationError at the first expectation that does not hold.
    """
    scenario = Scenario(workspace, stack, {})
    record_cleanup(scenario)
    add_policy(scenario)
    read_own_data(scenario)
    read_others_data(scenario)
    add_and_remove_profile(scenario)
    if more:
        more(scenario)
    remove_everyone(scenario)


def record_cleanup(scenario: Scenario) -> None:
    """Record how to remove everything, before anything is created; the list is worked off
    backwards.

    The profiles are deleted first, and with them their grants; the policy file last. If a file with
    grants were deleted and held the only rules, the guard would require an approval.
    """
    workspace, stack = scenario.workspace, scenario.stack
    folders = [f"{workspace.name}/", *map(scenario.profile_folder, "abc")]
    for bucket, prefix in [
        (stack.policies, scenario.policy_key),
        *((stack.data, folder) for folder in folders),
    ]:
        workspace.cleanup.add("s3", "purge", Bucket=bucket, Prefix=prefix)
    workspace.cleanup.add(
        "s3control",
        "wait_for_revocation",
        account=workspace.account.id,
        scopes=[f"s3://{stack.data}/{each}" for each in folders],
    )
    workspace.cleanup.add(
        "s3", "put_object", Bucket=stack.policies, Key=scenario.policy_key, Body=scenario.rules
    )


def add_policy(scenario: Scenario) -> None:
    with step(f"Two profiles, and {scenario.policy_key} in the policy bucket"):
        for letter in "ab":
            scenario.add_profile(letter)
        scenario.put_rules(scenario.rules)
        expect_eventually(
            "both have their grants, and no others",
            scenario.expected_grants("a", "b"),
            scenario.read_grants,
        )


def read_own_data(scenario: Scenario) -> None:
    with step("a reads with credentials from GetDataAccess"):
        scenario.upload(f"{scenario.profile_folder('a')}rows.csv", ROWS)
        given = scenario.workspace.request_when_granted(
            scenario.people["a"], f"{scenario.profile_folder('a')}*"
        )["Credentials"]
        read = scenario.workspace.account.client("s3", given).get_object(
            Bucket=scenario.stack.data, Key=f"{scenario.profile_folder('a')}rows.csv"
        )
        expect("it is what was put there", ROWS, read["Body"].read())


def read_others_data(scenario: Scenario) -> None:
    with step("b asks for the same"):
        refusal = _call_refused(
            lambda: scenario.workspace.request_access(
                scenario.people["b"], f"{scenario.profile_folder('a')}*"
            )
        )
        expect("GetDataAccess refuses", "AccessDenied", refusal["Code"])
        print_lines(refusal["Message"])
        own = scenario.workspace.account.client("s3", scenario.people["b"].keys)
        seen = scenario.workspace.try_call(
            lambda: own.get_object(
                Bucket=scenario.stack.data, Key=f"{scenario.profile_folder('a')}rows.csv"
            )
        )
        expect("and b's own role may not call GetObject", "AccessDenied", seen)


def add_and_remove_profile(scenario: Scenario) -> None:
    with step("A new profile is added; nothing else is done"):
        scenario.add_profile("c")
        expect_eventually(
            "c has its grants", scenario.expected_grants("a", "b", "c"), scenario.read_grants
        )
    with step("c's profile is deleted"):
        scenario.delete_profile("c")
        expect_eventually(
            "c's grants are gone, the others remain",
            scenario.expected_grants("a", "b"),
            scenario.read_grants,
        )


def remove_everyone(scenario: Scenario) -> None:
    with step("All profiles are deleted"):
        for letter in "ab":
            scenario.delete_profile(letter)
        expect_eventually(
            "none of their grants is left", scenario.expected_grants(), scenario.read_grants
        )


def _call_refused(do: Callable[[], Any]) -> dict[str, str]:
    """Return AWS's refusal: Code and Message; Code is "done" if there was none."""
    try:
        do()
    except ClientError as refused:
        error = refused.response["Error"]
        return {"Code": error["Code"], "Message": error["Message"]}
    return {"Code": DONE, "Message": ""}
