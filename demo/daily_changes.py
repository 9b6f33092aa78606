"""Changes of a working day: users, a mistake, new folders, grants that end, a mass deletion.

Each chapter leaves the article's grants as it found them.
"""

from datetime import UTC, datetime, timedelta

from harness.deployment import ARTICLE_POLICY, Deployment, GrantRow
from harness.session import ROOT
from harness.steps import expect, print_lines, step, wait_until

BROKEN_POLICY = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    alow: READWRITE
"""
TEAM_POLICY = """\
version: 1
rules:
  - name: team-folders                 # each folder below teams/ is for the team of that name
    to: {profiles: {domain: Product-Domain, tags: {team: "{prefix.name}"}}}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READWRITE
"""
VISITOR_POLICY = """\
version: 1
rules:
  - name: visitor
    to: {{role: "{role}"}}
    on: s3://{{data_bucket}}/Product/*
    allow: READ
    until: {until}
"""
PROJECT_POLICY = """\
version: 1
rules:
  - name: auditor                      # reads each project: one grant for each folder
    to: {{role: "{role}"}}
    on: {{each_prefix: "s3://{{data_bucket}}/projects/"}}
    allow: READ
"""
AUDITOR = "grantor-auditor-role"
PROJECTS = 30  # more than 20, and more than a quarter of all grants: the guard's thresholds
VISIT_SECONDS = 6  # from the moment of writing the policy file


def show_changes(deployment: Deployment, article: set[GrantRow]) -> None:
    """All chapters. `article` are the grants before and after each."""
    add_user(deployment, article)
    remove_user(deployment, article)
    make_mistake(deployment, article)
    role = deployment.create_studio_role(AUDITOR)
    add_folder(deployment, article)
    let_grant_expire(deployment, article, role)
    delete_wrong_file(deployment, article, role)
    deployment.session.client("iam").delete_role(RoleName=AUDITOR)


def add_user(deployment: Deployment, article: set[GrantRow]) -> None:
    """A new profile gets its grants."""
    with step("A new Studio user, userC, is added; nothing else is run"):
        studio = deployment.session.client("sagemaker")
        settings = {"ExecutionRole": deployment.create_studio_role("grantor-userc-role")}
        domain = deployment.find_domain_id()
        studio.create_user_profile(DomainId=domain, UserProfileName="userC", UserSettings=settings)
        wanted = article | deployment.expected_grants("userC", "Product", "UserC")
        wait_until("userC has its grants", wanted, deployment.list_grants)


def remove_user(deployment: Deployment, article: set[GrantRow]) -> None:
    """A deleted profile loses its grants."""
    with step("userC leaves"):
        studio = deployment.session.client("sagemaker")
        profile = {"DomainId": deployment.find_domain_id(), "UserProfileName": "userC"}
        wait_until(
            "its profile is in service",
            "InService",
            lambda: studio.describe_user_profile(**profile)["Status"],
        )
        studio.delete_user_profile(**profile)
        wait_until("userC's grants are gone, the others stay", article, deployment.list_grants)
        deployment.session.client("iam").delete_role(RoleName="grantor-userc-role")


def make_mistake(deployment: Deployment, article: set[GrantRow]) -> None:
    """A wrong policy file changes nothing, and the log says what is wrong, and where."""
    with step("The steward makes a mistake"):
        print_lines(BROKEN_POLICY)
        before, place = deployment.read_warnings(), f"{ARTICLE_POLICY}:6:5:"

        def find_errors() -> list[str]:
            new = deployment.read_warnings() - before
            return sorted(warning for warning in new if place in warning)

        deployment.put_policy(ARTICLE_POLICY, BROKEN_POLICY.encode())
        wait_until("the function's log says where", True, lambda: bool(find_errors()))
        print_lines("\n".join(find_errors()))
        expect("nothing has changed", article, deployment.list_grants())
        deployment.put_policy(ARTICLE_POLICY, (ROOT / ARTICLE_POLICY).read_bytes())


def add_folder(deployment: Deployment, article: set[GrantRow]) -> None:
    """The first upload creates a folder, and the folder's team gets its grant."""
    with step("A folder appears: userA's team uploads its first file"):
        studio, domain = deployment.session.client("sagemaker"), deployment.find_domain_id()
        profile = studio.describe_user_profile(DomainId=domain, UserProfileName="userA")
        tags = [{"Key": "team", "Value": "blue"}]
        studio.add_tags(ResourceArn=profile["UserProfileArn"], Tags=tags)
        print_lines(TEAM_POLICY)
        deployment.put_policy("policy/teams.yaml", TEAM_POLICY.encode())
        deployment.upload_files("teams/blue/plan.csv", "teams/red/plan.csv")
        wanted = article | deployment.expected_grants("userA", "teams/blue")
        wait_until(
            "userA has teams/blue/, and nobody has teams/red/", wanted, deployment.list_grants
        )
        deployment.delete_policy("policy/teams.yaml")
        wait_until("the file is deleted, and its grants too", article, deployment.list_grants)


def let_grant_expire(deployment: Deployment, article: set[GrantRow], role: str) -> None:
    """A grant with an end is revoked by itself."""
    with step("A visitor may read for five seconds"):
        until = datetime.now(UTC) + timedelta(seconds=VISIT_SECONDS)
        text = VISITOR_POLICY.format(role=role, until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
        print_lines(text)
        deployment.put_policy("policy/visit.yaml", text.encode())
        visit = {(AUDITOR, "READ", f"s3://{deployment.data_bucket}/Product/*")}
        wait_until("the visitor has the grant", article | visit, deployment.list_grants)
        wait_until("it has ended by itself", article, deployment.list_grants)
        deployment.delete_policy("policy/visit.yaml")


def delete_wrong_file(deployment: Deployment, article: set[GrantRow], role: str) -> None:
    """A plan that would revoke many grants waits for an approval."""
    with step(f"A steward deletes the wrong file: {PROJECTS} grants would be revoked"):
        folders = [f"projects/p{n:02}" for n in range(PROJECTS)]
        deployment.put_policy("policy/projects.yaml", PROJECT_POLICY.format(role=role).encode())
        deployment.upload_files(*(f"{folder}/data.csv" for folder in folders))
        bucket = deployment.data_bucket
        projects = {(AUDITOR, "READ", f"s3://{bucket}/{folder}/*") for folder in folders}
        many = f"the auditor has grants on {PROJECTS} projects"
        wait_until(many, article | projects, deployment.list_grants)
        before = deployment.read_warnings()

        def find_requests() -> list[str]:
            return sorted(it for it in deployment.read_warnings() - before if "approv" in it)

        deployment.delete_policy("policy/projects.yaml")
        wait_until("Grantor asks for an approval", True, lambda: bool(find_requests()))
        print_lines("\n".join(find_requests()))
        expect("nothing has changed", article | projects, deployment.list_grants())
        _approve_plan(deployment, find_requests())
        wait_until("it was intended: the grants are gone", article, deployment.list_grants)


def _approve_plan(deployment: Deployment, requests: list[str]) -> None:
    """Run the command that the alert names, as somebody with the policy for approvers."""
    request = next(it for it in requests if "grantor approve" in it)
    command = request.partition("grantor ")[2].replace("TEXT", "intended")
    with deployment.act_as_person("eva", "Approver") as eva:
        printed = eva.run_grantor(*command.split(), "--yes").splitlines()
    first, second, *_, last = printed
    print_lines(f"{first}\n{second}\n… and {PROJECTS - 2} more\n{last}")
