"""The second half of the story: folders that come by uploads, a grant that ends by itself, and a slip that needs a person."""

from datetime import UTC, datetime, timedelta

from demo.cast import Cast, Row
from demo.stage import eventually, expect, say, step

TEAMS = """\
version: 1
rules:
  - name: team-folders                 # every folder below teams/ is for those who carry its name as their team
    to: {profiles: {domain: Product-Domain, tags: {team: "{prefix.name}"}}}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READWRITE
"""
VISIT = """\
version: 1
rules:
  - name: visitor
    to: {{role: "{role}"}}
    on: s3://{{data_bucket}}/Product/*
    allow: READ
    until: {until}
"""
PROJECTS = """\
version: 1
rules:
  - name: auditor                      # reads each project, one grant a folder
    to: {{role: "{role}"}}
    on: {{each_prefix: "s3://{{data_bucket}}/projects/"}}
    allow: READ
"""
COUNT = 30  # more than 20, and more than a quarter of all grants: what the guard asks about


def tell(cast: Cast, article: set[Row]) -> None:
    """Each chapter leaves the article's grants as it found them."""
    role = cast.studio_role("sagemaker-auditor-role")
    new_folder(cast, article)
    ends_by_itself(cast, article, role)
    guarded(cast, article, role)
    cast.desk.client("iam").delete_role(RoleName="sagemaker-auditor-role")


def new_folder(cast: Cast, article: set[Row]) -> None:
    with step("A folder appears: userA's team uploads its first file"):
        studio = cast.desk.client("sagemaker")
        profile = studio.describe_user_profile(DomainId=cast.domain(), UserProfileName="userA")
        studio.add_tags(ResourceArn=profile["UserProfileArn"], Tags=[{"Key": "team", "Value": "blue"}])
        say(TEAMS)
        cast.put_policy("policy/teams.yaml", TEAMS.encode())
        cast.upload("teams/blue/plan.csv", "teams/red/plan.csv")
        eventually("userA has teams/blue/, and nobody teams/red/", article | cast.granted("userA", "teams/blue"), cast.grants)
        cast.delete_policy("policy/teams.yaml")
        eventually("the file is deleted, and its grants with it", article, cast.grants)


def ends_by_itself(cast: Cast, article: set[Row], role: str) -> None:
    with step("A visitor may look in for five seconds"):
        until = datetime.now(UTC) + timedelta(seconds=6)
        text = VISIT.format(role=role, until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
        say(text)
        cast.put_policy("policy/visit.yaml", text.encode())
        visit = {("sagemaker-auditor-role", "READ", f"s3://{cast.data}/Product/*")}
        eventually("the visitor has the grant", article | visit, cast.grants)
        eventually("it has ended by itself", article, cast.grants)
        cast.delete_policy("policy/visit.yaml")


def guarded(cast: Cast, article: set[Row], role: str) -> None:
    with step(f"A steward deletes the wrong file: {COUNT} grants would go"):
        folders = [f"projects/p{n:02}" for n in range(COUNT)]
        cast.put_policy("policy/projects.yaml", PROJECTS.format(role=role).encode())
        cast.upload(*(f"{folder}/data.csv" for folder in folders))
        projects = {("sagemaker-auditor-role", "READ", f"s3://{cast.data}/{folder}/*") for folder in folders}
        eventually(f"the auditor reads {COUNT} projects", article | projects, cast.grants)
        seen = cast.complaints()
        cast.delete_policy("policy/projects.yaml")
        eventually("Grantor asks before it takes away so much", True, lambda: bool(_asked(cast, seen)))
        say("\n".join(sorted(_asked(cast, seen))))
        expect("nothing has changed", article | projects, cast.grants())
        command = next(s for s in _asked(cast, seen) if "grantor approve" in s).partition("grantor ")[2]
        with cast.person("eva", "Approver") as eva:
            first, second, *_, last = eva.grantor(*command.split(), "--yes").splitlines()
        say(f"{first}\n{second}\n… and {COUNT - 2} more\n{last}")
        eventually("it was meant, and a person who may approve has said so: they are gone", article, cast.grants)


def _asked(cast: Cast, before: set[str]) -> set[str]:
    return {said for said in cast.complaints() - before if "approv" in said}
