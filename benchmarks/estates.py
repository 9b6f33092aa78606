"""Estates of any size, as Grantor itself would have left them after hours of work, in seconds.

Policy files are dropped and profiles made; the engine says which grants it would make; the sandbox makes just these at once,
without the wire; the engine's own ledger is told of them; and a run of the engine finds that nothing is left to do.
"""

from collections.abc import Sequence
from typing import Any

from grantor.aws.access_grants import OWNER
from grantor.aws.services import World
from grantor.core.grant import Entry, Grant, State, closest
from grantor.core.planning.plan import Change
from grantor.reconcile.lease import alone
from grantor.reconcile.run import look
from tests.conftest import ACCOUNT
from tests.estate import DOMAIN, STACK, Estate, trust
from tests.sandbox.desk import ask
from tests.sandbox.ears import until

FILES, RULES = 10, 10  # policy files, and rules in each: every profile holds a grant by each of the hundred
HELD = FILES * RULES


def grow(estate: Estate, profiles: int) -> World:
    """A hundred grants for each of so many profiles, all in place; the warm world of the run that found them so."""
    estate.switches(grants_quota=2 * HELD * profiles + 1000)
    for number in range(FILES):
        estate.policy(f"team-{number}", policy(number))
    people(estate, range(profiles))
    world = estate.world()
    found = look(world, {"everything": None})
    wanted = found.plan.create if found else ()
    if len(wanted) != profiles * HELD:
        raise RuntimeError(f"the policy files want {len(wanted):,} grants, not {HELD} for each of {profiles:,} profiles")
    _write_down(world, wanted, _make(estate, world, wanted))
    report = estate.run(world=world)
    if report.done or not report.finished:
        raise RuntimeError(f"a run still found something to do: {report.summary()}")
    return world


def policy(number: int) -> str:
    """One of the files: nine folders for everybody, and in a tenth a folder for each."""
    team = f"s3://{{data_bucket}}/team-{number}"
    rules = "".join(
        f"  - name: project-{project}\n    to: {{profiles: {{domain: {DOMAIN}}}}}\n"
        f"    on: {team}/project-{project}/*\n    allow: READ\n"
        for project in range(1, RULES)
    )
    own = f"    to: {{each_profile: {{domain: {DOMAIN}}}}}\n    on: {team}/people/{{profile.folder}}/*\n    allow: READWRITE\n"
    return f"version: 1\nrules:\n{rules}  - name: own-folder\n{own}"


def people(estate: Estate, numbers: Sequence[int]) -> None:
    """A profile user-0000 and so on for each number, with a role of its own."""
    iam, studio, trusting = estate.client("iam"), estate.client("sagemaker"), trust("sagemaker")
    profiles = [{"DomainId": estate.domain, "UserProfileName": f"user-{number:04}"} for number in numbers]
    for profile in profiles:
        role = iam.create_role(RoleName=profile["UserProfileName"], AssumeRolePolicyDocument=trusting)["Role"]["Arn"]
        studio.create_user_profile(**profile, UserSettings={"ExecutionRole": role})
    # As long as one is changing, each run looks at it anew.
    until(lambda: studio.describe_user_profile(**profiles[-1])["Status"] == "InService")


def _make(estate: Estate, world: World, wanted: Sequence[Change]) -> list[str]:
    """The grants themselves, without the wire; their ids."""
    locations = world.grants.locations()
    made = ask(estate.sandbox, "grants", "POST", [_request(change.grant, locations) for change in wanted])
    if "error" in made:
        raise RuntimeError(made["error"])
    return list(made["ids"])


def _request(grant: Grant, locations: Any) -> dict[str, Any]:
    found = closest(grant.scope, locations)
    if found is None:
        raise ValueError(f"{grant.scope} lies under no location")
    location, sub_prefix = found
    return {
        "AccountId": ACCOUNT, "AccessGrantsLocationId": location.id, "Permission": str(grant.permission),
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix},
        "Grantee": {"GranteeType": grant.grantee.kind, "GranteeIdentifier": grant.grantee.identifier},
        "Tags": [{"Key": OWNER, "Value": STACK}],
    }  # fmt: skip


def _write_down(world: World, wanted: Sequence[Change], ids: Sequence[str]) -> None:
    entries = (
        Entry(change.grant, State.LIVE, frozenset(change.reasons), grant_id, run="estate")
        for change, grant_id in zip(wanted, ids, strict=True)
    )
    with alone(world, "estate") as lease:
        world.ledger.under(lease).confirm(entries)
