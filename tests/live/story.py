"""The demo's scenario on a stack that is deployed: with profiles, roles, a policy file and folders of its own, all removed at the end.

Nothing that the stack's users have is touched: the file's rules name our profiles and our folders alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from demo.stage import expect, say, step
from tests.live.ground import DONE, Ground, Person
from tests.live.stack import Stack
from tests.live.telling import eventually

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
class Story:
    """The ground, whose bucket is the stack's data bucket, and the people in the story by their letter."""

    here: Ground
    stack: Stack
    people: dict[str, Person]

    @property
    def key(self) -> str:
        """The policy file."""
        return f"policy/{self.here.name}.yaml"

    @property
    def rules(self) -> str:
        return RULES.format(domain=self.stack.domain_name, name=self.here.name)

    def profile(self, letter: str) -> str:
        return f"{self.here.name}-{letter}"

    def folder(self, letter: str) -> str:
        """A profile's folder: its name, the first letter as a capital."""
        return self.profile(letter).capitalize() + "/"

    def granted(self, *letters: str) -> set[tuple[str, str, str]]:
        """The rows that these people should have."""
        folders = [(letter, folder) for letter in letters for folder in (f"{self.here.name}/", self.folder(letter))]
        return {(letter, "READWRITE", f"s3://{self.stack.data}/{folder}*") for letter, folder in folders}

    def grants(self) -> set[tuple[str, str, str]]:
        """Who of ours has what: letter, permission, scope."""
        return {
            (letter, grant["Permission"], grant["GrantScope"])
            for letter, person in self.people.items()
            for grant in self.here.listed(person)
        }

    def put_rules(self, text: str) -> None:
        self.here.account.client("s3").put_object(Bucket=self.stack.policies, Key=self.key, Body=text.encode())

    def put(self, key: str, body: bytes) -> None:
        """Somebody uploads data."""
        self.here.account.client("s3").put_object(Bucket=self.stack.data, Key=key, Body=body)

    def join(self, letter: str) -> None:
        """A new profile in the domain, with a role of its own."""
        self.people[letter] = self.here.person(service="sagemaker.amazonaws.com")
        studio, named = self.here.account.client("sagemaker"), self.named(letter)
        self.here.made.add("sagemaker", "delete_user_profile", **named)
        studio.create_user_profile(**named, UserSettings={"ExecutionRole": self.people[letter].role}, Tags=self.here.tags)

    def leave(self, letter: str) -> None:
        """The profile is deleted, once it has settled."""
        studio, named = self.here.account.client("sagemaker"), self.named(letter)
        eventually(f"{letter}'s profile has settled", "InService", lambda: studio.describe_user_profile(**named)["Status"], 300)
        studio.delete_user_profile(**named)

    def named(self, letter: str) -> dict[str, str]:
        return {"DomainId": self.stack.domain, "UserProfileName": self.profile(letter)}


def tell(here: Ground, stack: Stack, more: Callable[[Story], None] | None = None) -> None:
    """The story, with `more` before its end; Unmet at the first expectation that does not hold."""
    story = Story(here, stack, {})
    removable(story)
    policy_is_dropped(story)
    a_reads(story)
    b_is_refused(story)
    profile_comes_and_goes(story)
    if more:
        more(story)
    everybody_leaves(story)


def removable(story: Story) -> None:
    """Before anything is made: how it all goes, in the other order.

    Its profiles go first, and with them their grants; the policy file goes last. Of a file that goes with grants behind it the guard would
    ask a person, if it held the only rules.
    """
    here, stack = story.here, story.stack
    folders = [f"{here.name}/", *map(story.folder, "abc")]
    for bucket, prefix in [(stack.policies, story.key), *((stack.data, folder) for folder in folders)]:
        here.made.add("s3", "purge", Bucket=bucket, Prefix=prefix)
    here.made.add(
        "s3control", "wait_for_revocation", account=here.account.id, scopes=[f"s3://{stack.data}/{each}" for each in folders]
    )
    here.made.add("s3", "put_object", Bucket=stack.policies, Key=story.key, Body=story.rules)


def policy_is_dropped(story: Story) -> None:
    with step(f"Two profiles, and {story.key} in the policy bucket"):
        for letter in "ab":
            story.join(letter)
        story.put_rules(story.rules)
        eventually("both have their grants, and no others", story.granted("a", "b"), story.grants)


def a_reads(story: Story) -> None:
    with step("a reads with credentials from GetDataAccess"):
        story.put(f"{story.folder('a')}rows.csv", ROWS)
        given = story.here.vended(story.people["a"], f"{story.folder('a')}*")["Credentials"]
        read = story.here.account.client("s3", given).get_object(Bucket=story.stack.data, Key=f"{story.folder('a')}rows.csv")
        expect("it is what was put there", ROWS, read["Body"].read())


def b_is_refused(story: Story) -> None:
    with step("b asks for the same"):
        said = _refusal(lambda: story.here.ask(story.people["b"], f"{story.folder('a')}*"))
        expect("GetDataAccess refuses", "AccessDenied", said["Code"])
        say(said["Message"])
        own = story.here.account.client("s3", story.people["b"].keys)
        seen = story.here.tried(lambda: own.get_object(Bucket=story.stack.data, Key=f"{story.folder('a')}rows.csv"))
        expect("and b's own role may not GetObject", "AccessDenied", seen)


def profile_comes_and_goes(story: Story) -> None:
    with step("A new profile is added; nobody runs anything else"):
        story.join("c")
        eventually("c has its grants", story.granted("a", "b", "c"), story.grants)
    with step("c leaves"):
        story.leave("c")
        eventually("c's grants are gone, the others stand", story.granted("a", "b"), story.grants)


def everybody_leaves(story: Story) -> None:
    with step("Everybody leaves"):
        for letter in "ab":
            story.leave(letter)
        eventually("no grant of theirs is left", set(), story.grants)


def _refusal(do: Callable[[], Any]) -> dict[str, str]:
    """AWS's refusal: Code and Message; Code is "done" if there was none."""
    try:
        do()
    except ClientError as refused:
        return dict(refused.response["Error"])
    return {"Code": DONE, "Message": ""}
