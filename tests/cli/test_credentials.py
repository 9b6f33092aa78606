"""grantor credentials: what S3 Access Grants vends for the caller, and what a refusal says."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.cli.main import main
from sandbox.testing.helpers import unique_name
from sandbox.testing.scenario import AwsAccount
from tests.cli.command_process import read_environment
from tests.cli.conftest import Answer
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.grantor_setup import DATA, GrantorSetup, build_session, set_up_grantor

ASK = ["s3:GetDataAccess", "s3:ListCallerAccessGrants"]
PLACE = f"us-east-1 of account {ACCOUNT}"


@dataclass(frozen=True)
class Scientist:
    """Somebody who may ask S3 Access Grants, and do nothing else: no stack, no bucket."""

    setup: GrantorSetup
    capsys: pytest.CaptureFixture[str]
    role: str
    keys: dict[str, str]

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role.rpartition('/')[2]}/someone"

    def ask(self, *words: str) -> Answer:
        """Run `grantor credentials WORDS`."""
        self.capsys.readouterr()
        try:
            code = main(["credentials", *words], build_session(self.setup.config, self.keys))
        except SystemExit as usage:
            code = int(usage.code or 0)
        return Answer(code, *self.capsys.readouterr())

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of a shell of this person, whose keys are a profile of their own."""
        given = read_environment(self.setup)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            del given[name]
        return given | {"AWS_CONFIG_FILE": str(self.config), "AWS_PROFILE": "me"} | more

    @property
    def config(self) -> Path:
        return self.setup.config.with_name("config")

    def write_config(self, *profiles: str, own: str = "profile me") -> None:
        """Write the person's ~/.aws/config, with these profiles after their own."""
        keys = "\n".join(
            [
                f"[{own}]",
                f"aws_access_key_id = {self.keys['AccessKeyId']}",
                f"aws_secret_access_key = {self.keys['SecretAccessKey']}",
                f"aws_session_token = {self.keys['SessionToken']}",
            ]
        )
        self.config.write_text("\n\n".join([keys, *profiles]))


@pytest.fixture(scope="module")
def setup(cli_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> GrantorSetup:
    """Resources of a stack that has no stack: nothing here needs one."""
    made = set_up_grantor(cli_sandbox, tmp_path_factory.mktemp("credentials"))
    allow = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    made.client("iam").put_role_policy(RoleName="location", PolicyName="data", PolicyDocument=allow)
    made.client("s3").put_object(Bucket=DATA, Key="UserA/in.csv", Body=b"M,0.455\n")
    return made


@pytest.fixture
def make_scientist(
    setup: GrantorSetup, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Scientist]:
    account = AwsAccount(ACCOUNT, setup.client)

    def make(*grants: tuple[str, str], allow: list[str] = ASK) -> Scientist:
        role = account.role(unique_name("ana"), allow=allow)
        for scope, permission in grants:
            setup.create_unmanaged_grant(scope, role, permission)
        return Scientist(setup, capsys, role, account.session(role))

    return make


@pytest.fixture
def ana(make_scientist: Callable[..., Scientist]) -> Scientist:
    return make_scientist(("UserA/*", "READWRITE"))


def list_keys(setup: GrantorSetup, answer: Answer, prefix: str) -> list[str]:
    """List keys with the printed credentials."""
    printed = answer.json
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    session = build_session(setup.config, {name: printed[name] for name in names})
    client: Any = session.create_client("s3")
    found = client.list_objects_v2(Bucket=DATA, Prefix=prefix)
    return [it["Key"] for it in found.get("Contents", ())]


def test_credentials_reach_the_folder_and_nothing_else(ana: Scientist, setup: GrantorSetup):
    answer = ana.ask("s3://data/UserA/")

    assert (answer.code, answer.err) == (0, "")
    assert answer.json.keys() == {
        "Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
    }  # fmt: skip
    assert list_keys(setup, answer, "UserA/") == ["UserA/in.csv"]
    with pytest.raises(ClientError, match="AccessDenied"):
        list_keys(setup, answer, "UserB/")


def test_minimal_credentials_reach_the_object_alone(ana: Scientist):
    answer = ana.ask("s3://data/UserA/in.csv", "--privilege", "Minimal", "--format", "env")

    assert answer.lines[0].startswith("# READ on s3://data/UserA/in.csv until ")
    assert (
        ana.ask("s3://data/UserA/in.csv", "--format", "env")
        .lines[0]
        .startswith("# READ on s3://data/UserA/* until ")
    )


def test_a_shell_that_evaluates_the_exports_can_work(ana: Scientist):
    ana.write_config()
    words = (
        f"eval \"$('{ROOT}/.venv/bin/grantor' credentials s3://data/UserA/ --format env)\" && env"
    )
    done = subprocess.run(
        ["sh", "-c", words], env=ana.environment(), capture_output=True, text=True, check=True
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["AWS_CREDENTIAL_EXPIRATION"].endswith("Z")
    assert done.stderr == ""


@pytest.fixture
def profile(ana: Scientist) -> str:
    """What --format config prints for the folder."""
    ana.write_config()
    done = subprocess.run(
        [ROOT / ".venv/bin/grantor", "credentials", "s3://data/UserA/", "--format", "config"],
        env=ana.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def read_through(scientist: Scientist, profile: str, **variables: str) -> str:
    """Read the object with an AWS SDK that knows nothing but the name of a profile."""
    code = "import botocore.session as b; print(b.Session().create_client('s3').get_object(Bucket='data', Key='UserA/in.csv')['Body'].read())"
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-c", code],
        env=scientist.environment(AWS_PROFILE=profile, PATH=path, **variables),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_profile_says_what_it_gives_and_asks_as_the_same_profile(profile: str):
    assert profile.splitlines()[:3] == [
        "[profile data-UserA]",
        "# READ on s3://data/UserA/*",
        "region = us-east-1",
    ]
    assert (
        "credentials s3://data/UserA/ --permission READ --region us-east-1 --profile me --format process"
        in profile
    )
    assert "ASIA" not in profile


def test_a_profile_that_exists_is_not_written_again(ana: Scientist):
    answer = ana.ask("s3://data/UserA/", "--format", "config", "--name", "default")

    assert (answer.code, answer.out) == (2, "")
    assert f"{ana.setup.config} has a profile default already: remove it there, or" in answer.err


def test_a_tool_that_has_only_the_profiles_name_reads_the_folder(ana: Scientist, profile: str):
    ana.write_config(profile)

    assert read_through(ana, "data-UserA") == "b'M,0.455\\n'\n"


def test_a_profile_that_asks_as_itself_ends_with_an_error(ana: Scientist, profile: str):
    ana.write_config(profile.replace("--profile me", "--profile data-UserA"))
    seen = read_through(ana, "data-UserA")

    assert (
        "the credentials that ask come from grantor credentials themselves: name a profile" in seen
    )


def test_without_a_profile_of_its_own_the_one_of_the_tool_does_not_ask(
    ana: Scientist, profile: str
):
    ana.write_config(profile.replace("--profile me", ""), own="default")

    assert read_through(ana, "data-UserA") == "b'M,0.455\\n'\n"


def test_a_refusal_names_the_callers_grants_and_exits_with_4(ana: Scientist):
    answer = ana.ask("s3://data/UserB/", "--permission", "WRITE")

    assert (answer.code, answer.out) == (4, "")
    assert answer.err == (
        f"grantor credentials: {ana.arn} gets no WRITE on s3://data/UserB/* in {PLACE}: you have "
        "READWRITE s3://data/UserA/* in this bucket; ask your data steward for a rule with on: "
        "s3://data/UserB/* and allow: WRITE\n"
    )


def test_a_refusal_names_the_owner_in_the_policy_files_at_hand(ana: Scientist, tmp_path: Path):
    policy = "version: 1\nowner: ben@example.com\nrules: [{name: b, to: {role: 'arn:aws:iam::000000000000:role/b'}, on: s3://data/UserB/*, allow: READ}]\n"
    (tmp_path / "a.yaml").write_text(policy)
    (tmp_path / "wrong.yaml").write_text("rules: 1\n")
    answer = ana.ask("s3://data/UserB/", "--policy", str(tmp_path))

    assert (
        "; ask ben@example.com for a rule with on: s3://data/UserB/* and allow: READ" in answer.err
    )


def test_a_folder_without_its_slash_is_explained(ana: Scientist):
    answer = ana.ask("s3://data/UserA")

    assert answer.code == 4
    assert answer.err.endswith("write s3://data/UserA/ for the folder\n")


def test_who_may_not_list_their_grants_learns_that_none_fits(
    make_scientist: Callable[..., Scientist],
):
    answer = make_scientist(allow=["s3:GetDataAccess"]).ask("s3://data/UserA/")

    assert answer.code == 4
    assert f"in {PLACE}: none of your grants covers it; ask your data steward" in answer.err


def test_who_may_not_ask_at_all_learns_the_permission(make_scientist: Callable[..., Scientist]):
    answer = make_scientist(("UserA/*", "READ"), allow=["s3:ListAllMyBuckets"]).ask(
        "s3://data/UserA/"
    )

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(
        f"grantor credentials: you may not ask S3 Access Grants in {PLACE} ("
    )
    assert (
        "your role needs s3:GetDataAccess, which the stack's managed policy Notebook allows"
        in answer.err
    )


def test_a_region_without_access_grants_is_named(setup: GrantorSetup, ana: Scientist):
    """The sandbox has one Region, so its answer there is made by a fault."""
    refusal = {"kind": "refuse", "code": "AccessGrantsInstanceNotExistsError", "status": 404}
    refusal |= {"message": "Access Grants Instance does not exist"}
    setup.set_faults({"service": "s3control", "operation": "GetDataAccess", **refusal})
    answer = ana.ask("s3://data/UserA/")
    setup.set_faults()

    assert answer.code == 1
    assert f"there are no S3 Access Grants in {PLACE}: name the Region of the bucket" in answer.err


@pytest.mark.parametrize(("seconds", "code"), [("900", 0), ("43200", 1)])
def test_a_duration_longer_than_the_locations_role_allows_is_explained(
    ana: Scientist, seconds: str, code: int
):
    answer = ana.ask("s3://data/UserA/", "--duration", seconds)

    assert answer.code == code
    assert ("no credentials for s3://data/UserA/* live so long" in answer.err) is bool(code)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data/UserA/"], "'data/UserA/' is not a scope: a scope starts with s3:// and a bucket"),
        (["s3://data/", "--duration", "60"], "60 seconds are not possible: S3 Access Grants vends"),
        (["s3://data/", "--duration", "1h"], "invalid int value: '1h'"),
        (["s3://data/a$b/", "--format", "config"], "'s3://data/a$b/' does not fit into a profile"),
        (["s3://data/", "--format", "config", "--name", "a b"], "'a b' does not name a profile"),
    ],
    ids=["URL", "short", "no number", "key", "name"],
)
def test_invalid_usage_is_found_before_anything_is_asked(
    ana: Scientist, words: list[str], said: str
):
    answer = ana.ask(*words)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_a_failure_of_aws_prints_no_secret(setup: GrantorSetup, ana: Scientist):
    refusal = {"kind": "refuse", "code": "InternalError", "status": 500, "message": "said the test"}
    setup.set_faults({"service": "s3control", "operation": "GetDataAccess", **refusal})
    answer = ana.ask("s3://data/UserA/")
    setup.set_faults()

    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        "grantor credentials: AWS cannot do this now: InternalError: said the test; "
        "try again in a moment\n"
    )
