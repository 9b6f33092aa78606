"""grantor compare: folders, the stack's own files and other versions of them; with and without AWS."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from grantor.cli.main import main
from grantor.core.access.inventory_document import encode_inventory
from grantor.core.access.saved_inventory import SavedFile, SavedInventory
from grantor.core.grant import Location
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Inventory, Profile
from tests.cli.conftest import Answer, CommandLine
from tests.cli.policy_texts import build_rule
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, DATA, POLICIES, GrantorSetup

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs/json.schema.json").read_text())
)
ROLE = "arn:aws:iam::111122223333:role/auditor"
SHARED = ARTICLE_POLICY.replace("Product/*", "Shared/*")
USER_A = ARTICLE_POLICY.replace(
    "{domain: Product-Domain}", "{domain: Product-Domain, names: [userA]}"
)
TEAMS = 'on: {each_prefix: "s3://{data_bucket}/teams/"}'
BOUNDS = "version: 1\nfolders: {policy/: {permissions: [READ]}}\n"


def write_folder(folder: Path, text: str, bounds: str = "") -> str:
    """Write a checkout with one policy file, and perhaps bounds; returns its path."""
    (folder / "policy").mkdir(parents=True)
    (folder / "policy/article.yaml").write_text(text)
    if bounds:
        (folder / "bounds").mkdir()
        (folder / "bounds/bounds.yaml").write_text(bounds)
    return str(folder)


@pytest.fixture
def granted(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    return cli


def test_a_checkout_compares_with_the_files_of_the_stack(
    granted: CommandLine, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "pr", SHARED)
    found = granted.run("compare", "live", folder, keys=granted.create_person("Reader"))

    assert found.code == 3, found.err
    may = "role/role-userA (Product-Domain/userA) may READWRITE"
    assert found.lines == [
        f"different: from live to {folder}, 2 people gain and 2 people lose",
        f"counterexample: only with {folder}, {may} s3://{DATA}/Shared/any-name",
        f"counterexample: only with live, {may} s3://{DATA}/Product/any-name",
        *(
            f"{sign} READWRITE s3://{DATA}/{place}/* to role/role-{name} (Product-Domain/{name}), "
            "without end, because of policy/article.yaml#product-team"
            for sign, place in (("+", "Shared"), ("-", "Product"))
            for name in ("userA", "userB")
        ),
    ]


def test_the_policy_folder_of_a_checkout_alone_compares_alike(
    granted: CommandLine, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "pr", ARTICLE_POLICY)
    found = granted.run("compare", folder, f"{folder}/policy")
    assert (found.code, found.lines) == (
        0, [f"equivalent: from {folder} to {folder}/policy, nobody gains and nobody loses"],
    )  # fmt: skip


def test_no_new_access_fails_only_if_somebody_gains(granted: CommandLine, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pr", USER_A)
    assert granted.run("compare", "live", folder, "--no-new-access").code == 0
    found = granted.run("compare", folder, "live", "--no-new-access")
    assert (found.code, found.lines[0]) == (
        6,
        f"wider: from {folder} to live, 1 person gains and nobody loses",
    )


def test_the_bounds_of_a_checkout_count(granted: CommandLine, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pr", ARTICLE_POLICY, BOUNDS)
    found = granted.run("compare", "live", folder, "--json")
    VALIDATOR.validate(found.json)
    assert (found.json["verdict"], len(found.json["lost"])) == ("narrower", 4)


def test_a_file_compares_with_another_version_of_it(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    listed = setup.client("s3").list_object_versions(Bucket=POLICIES, Prefix="policy/article.yaml")
    first = f"policy/article.yaml@{listed['Versions'][0]['VersionId']}"
    setup.put_policy("article", SHARED)
    found = granted.run("compare", first, "live")
    assert found.lines[0] == f"different: from {first} to live, 2 people gain and 2 people lose"
    unknown = granted.run("compare", "policy/article.yaml@nothing", "live")
    assert unknown.code == 1
    assert "policy/article.yaml has no version nothing" in unknown.err


def run_alone(capsys: pytest.CaptureFixture[str], *words: str) -> Answer:
    """Run a command that may not ask AWS."""
    code = main(["compare", *words, "--rules-only"], aws_session=object())
    return Answer(code, *capsys.readouterr())


def test_rules_that_name_roles_compare_without_aws(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main_folder = write_folder(tmp_path / "main", build_rule(ROLE, "s3://{data_bucket}/a/*"))
    folder = write_folder(tmp_path / "pr", build_rule(ROLE, "s3://{data_bucket}/*"))
    found = run_alone(capsys, main_folder, folder, "--no-new-access")
    assert (found.code, found.lines[0]) == (
        6, f"wider: from {main_folder} to {folder}, 1 grantee gains and nobody loses",
    )  # fmt: skip
    VALIDATOR.validate(run_alone(capsys, main_folder, folder, "--json").json)


def test_rules_about_profiles_that_differ_need_an_inventory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folders = write_folder(tmp_path / "main", ARTICLE_POLICY), write_folder(tmp_path / "pr", SHARED)
    found = run_alone(capsys, *folders)
    assert found.code == 1
    assert "rule policy/article.yaml#product-team is not the same on both sides" in found.err
    assert "(and 1 more)" not in found.err
    assert "save an inventory with grantor inventory > FILE" in found.err


@pytest.mark.parametrize(
    ("text", "bounds", "message"),
    [
        ("version: 1\nruls: []\n", "", "policy/article.yaml:2:1: unknown key 'ruls'"),
        (ARTICLE_POLICY, "version: 1\n", "bounds/bounds.yaml:1:1: "),
    ],
)
def test_a_wrong_file_is_refused_because_nobody_knows_what_it_would_give(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, bounds: str, message: str
) -> None:
    folder = write_folder(tmp_path / "pr", text, bounds)
    found = run_alone(capsys, folder, folder)
    assert (found.code, found.out) == (1, "")
    assert message in found.err


def test_a_side_that_is_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = run_alone(capsys, str(tmp_path), str(tmp_path / "nothing"))
    assert found.code == 2
    assert "this folder contains no policy files" in found.err
    found = run_alone(capsys, "live", "live")
    assert "live: there is no such folder" in found.err


NOW = datetime(2026, 11, 30, tzinfo=UTC)
PROFILES = tuple(
    Profile("Product-Domain", name, f"arn:aws:iam::111122223333:role/{name}", NOW)
    for name in ("userA", "userB")
)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """An inventory with two profiles and the article's policy file."""
    known = Inventory(
        NOW, (Location("1", "s3://data/"),), PROFILES, frozenset({"Product-Domain"}),
        sharing={one.role: frozenset([one.subject]) for one in PROFILES},
    )  # fmt: skip
    document = SavedInventory(
        "grantor", Home("aws", "111122223333"), "us-east-1", "data", known,
        [SavedFile("policy/article.yaml", "v1", ARTICLE_POLICY)],
    )  # fmt: skip
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(encode_inventory(document)))
    return str(path)


def run_saved(capsys: pytest.CaptureFixture[str], saved: str, *words: str) -> Answer:
    """Compare over a saved inventory, without AWS."""
    code = main(["compare", *words, "--profiles", saved], aws_session=object())
    return Answer(code, *capsys.readouterr())


def test_folders_and_saved_files_compare_over_a_saved_inventory_without_aws(
    capsys: pytest.CaptureFixture[str], saved: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "pr", USER_A)
    found = run_saved(capsys, saved, "live", folder)
    assert found.lines[0] == f"narrower: from live to {folder}, nobody gains and 1 person loses"
    assert found.lines[2].startswith(
        "- READWRITE s3://data/Product/* to role/userB (Product-Domain/userB), without end"
    )
    assert found.lines[-1] == "as of: 2026-11-30T00:00:00Z"
    document = run_saved(capsys, saved, "live", folder, "--json").json
    VALIDATOR.validate(document)
    assert document["as_of"] == "2026-11-30T00:00:00Z"


def test_what_nobody_has_saved_leaves_it_undecided(
    capsys: pytest.CaptureFixture[str], saved: str, tmp_path: Path
) -> None:
    teams = ARTICLE_POLICY.replace("on: s3://{data_bucket}/Product/*", TEAMS)
    found = run_saved(capsys, saved, "live", write_folder(tmp_path / "pr", teams))
    assert found.code == 1
    assert found.lines[0].startswith("undecided: 1 rule is on hold, and not alike in live and ")
    assert found.lines[1].startswith("on hold: policy/article.yaml#product-team: ")


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("@2026-11-01", "a saved inventory has no history; leave out --profiles"),
        ("policy/article.yaml@v0", "a saved inventory has one version of each file"),
    ],
)
def test_a_saved_inventory_has_neither_past_nor_versions(
    capsys: pytest.CaptureFixture[str], saved: str, side: str, message: str
) -> None:
    found = run_saved(capsys, saved, "live", side)
    assert found.code == 2
    assert message in found.err


def test_a_saved_file_that_this_version_cannot_read_is_named(
    capsys: pytest.CaptureFixture[str], saved: str
) -> None:
    path = Path(saved)
    path.write_text(path.read_text().replace("each_profile", "every_profile"))
    found = run_saved(capsys, saved, "live", "live")
    assert found.code == 1
    assert "policy/article.yaml:" in found.err
    assert "save the inventory again" in found.err


def test_a_time_stands_for_the_grants_of_then(granted: CommandLine, setup: GrantorSetup) -> None:
    time = f"@{datetime.now(UTC).isoformat()}"
    setup.put_policy("article", USER_A)
    setup.reconcile()
    found = granted.run("compare", time, "live", keys=granted.create_person("Reader"))
    assert (found.code, found.err) == (3, "")
    assert found.lines[0] == f"narrower: from {time} to live, nobody gains and 1 person loses"
    assert found.lines[2].startswith(f"- READWRITE s3://{DATA}/Product/* to role/role-userB")
    assert granted.run("compare", "@2999-01-01", "live").code == 1
    wrong = granted.run("compare", "@yesterday", "live")
    assert wrong.code == 2
    assert "@yesterday: yesterday is no time" in wrong.err
