"""Setups of any size, in seconds, as Grantor itself would leave them after hours of work.

Policy files are put and profiles created. The engine computes the plan. The sandbox creates these
grants at once, without requests, and they are written to the engine's own ledger. Then a run of the
engine must find nothing to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from grantor.aws.access_grants import OWNER
from grantor.aws.services import Services
from grantor.core.grant import Grant, LedgerEntry, State, choose_location
from grantor.core.planning.plan import Change
from grantor.reconcile.lease import exclusive_lease
from grantor.reconcile.run import judge_run
from sandbox.testing.helpers import call_control, wait_until
from tests.conftest import ACCOUNT
from tests.grantor_setup import DOMAIN, STACK, GrantorSetup, build_trust_policy

FILES, RULES_PER_FILE = 10, 10
# The guard works as in every stack, but here no number of grants needs an approval.
GUARD_LIMITS = "deletes=1000000,new_grants=1000000"
GRANTS_PER_PROFILE = FILES * RULES_PER_FILE  # every profile has a grant from each rule


def create_many_grants(setup: GrantorSetup, profiles: int) -> Services:
    """Create a hundred grants for each of so many profiles; the warm services of the last run."""
    files = {f"team-{number}": write_policy(number) for number in range(FILES)}
    return create_wanted_grants(setup, files, profiles, GRANTS_PER_PROFILE)


def create_wanted_grants(
    setup: GrantorSetup, files: Mapping[str, str], profiles: int, each: int
) -> Services:
    """Create what policy files (texts by name) give so many profiles: `each` grants for each of
    them. Returns the warm services of the last run.
    """
    setup.names = replace(setup.names, guard_limits=GUARD_LIMITS)
    setup.set_switches(grants_quota=2 * each * profiles + 1000)
    for name, text in files.items():
        setup.put_policy(name, text)
    create_profiles(setup, range(profiles))
    services = setup.build_services()
    found = judge_run(services, {"everything": None})
    wanted = found.plan.create if found else ()
    if len(wanted) != profiles * each:
        raise RuntimeError(
            f"the policy files want {len(wanted):,} grants, "
            f"not {each} for each of {profiles:,} profiles"
        )
    _write_ledger(services, wanted, _create_grants(setup, services, wanted))
    report = setup.reconcile(services=services)
    if report.done or not report.is_finished:
        raise RuntimeError(f"a run still found something to do: {report.to_document('grantor')}")
    return services


def write_policy(number: int) -> str:
    """One of the files: nine folders for everybody, and a tenth with a folder for each profile."""
    team = f"s3://{{data_bucket}}/team-{number}"
    rules = "".join(
        f"  - name: project-{project}\n    to: {{profiles: {{domain: {DOMAIN}}}}}\n"
        f"    on: {team}/project-{project}/*\n    allow: READ\n"
        for project in range(1, RULES_PER_FILE)
    )
    own = (
        f"    to: {{each_profile: {{domain: {DOMAIN}}}}}\n"
        f"    on: {team}/people/{{profile.folder}}/*\n    allow: READWRITE\n"
    )
    return f"version: 1\nrules:\n{rules}  - name: own-folder\n{own}"


def create_profiles(setup: GrantorSetup, numbers: Sequence[int]) -> None:
    """Create a profile user-NNNN for each number, with a role of its own."""
    iam, studio, trusted = (
        setup.client("iam"),
        setup.client("sagemaker"),
        build_trust_policy("sagemaker"),
    )
    names = [f"user-{number:04}" for number in numbers]
    profiles = [{"DomainId": setup.domain, "UserProfileName": name} for name in names]
    for profile in profiles:
        name = profile["UserProfileName"]
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        studio.create_user_profile(**profile, UserSettings={"ExecutionRole": role})
    # A run describes a profile again as long as it is changing.
    wait_until(lambda: studio.describe_user_profile(**profiles[-1])["Status"] == "InService")


def _create_grants(setup: GrantorSetup, services: Services, wanted: Sequence[Change]) -> list[str]:
    """Create the grants in the sandbox, without requests, and return their ids."""
    locations = services.grants.list_locations()
    requests = [_build_request(change.grant, locations) for change in wanted]
    created = call_control(setup.sandbox, "grants", "POST", requests)
    if "error" in created:
        raise RuntimeError(created["error"])
    return list(created["ids"])


def _build_request(grant: Grant, locations: Any) -> dict[str, Any]:
    found = choose_location(grant.scope, locations)
    if found is None:
        raise ValueError(f"no location covers {grant.scope}")
    location, sub_prefix = found
    return {
        "AccountId": ACCOUNT, "AccessGrantsLocationId": location.id,
        "Permission": str(grant.permission),
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix},
        "Grantee": {
            "GranteeType": grant.grantee.kind, "GranteeIdentifier": grant.grantee.identifier,
        },
        "Tags": [{"Key": OWNER, "Value": STACK}],
    }  # fmt: skip


def _write_ledger(services: Services, wanted: Sequence[Change], ids: Sequence[str]) -> None:
    entries = (
        LedgerEntry(change.grant, State.LIVE, frozenset(change.reasons), grant_id, run="estate")
        for change, grant_id in zip(wanted, ids, strict=True)
    )
    with exclusive_lease(services, "estate") as lease:
        services.ledger.with_lease(lease).confirm_entries(entries)
