"""One change that many tests let fail: rule `old` is replaced by `new`, and a second policy file
and a profile are added.
"""

from botocore.exceptions import BotoCoreError, ClientError

from grantor.aws.clients import LeaseLost, RetryableError
from grantor.core.planning.rendering import describe_grant
from tests.engine.helpers import assert_settled, build_impatient_services
from tests.grantor_setup import HOME, GrantorSetup

FIRST_FILE = """\
version: 1
rules:
  - {{name: kept, to: {{role: "arn:aws:iam::000000000000:role/auditor"}}, on: "s3://{{data_bucket}}/kept/*", allow: READ}}
  - {{name: {name}, to: {{role: "arn:aws:iam::000000000000:role/auditor"}}, on: "s3://{{data_bucket}}/{name}/*", allow: READ}}
  - {{name: team, to: {{profiles: {{domain: Product-Domain}}}}, on: "s3://{{data_bucket}}/Product/*", allow: READ}}
"""
SECOND_FILE = """\
version: 1
rules:
  - {name: second, to: {role: "arn:aws:iam::000000000000:role/auditor"}, on: "s3://{data_bucket}/second/*", allow: READ}
"""
KEPT, OLD, NEW, OTHER = (
    f"READ s3://data/{name}/* to role/auditor" for name in ("kept", "old", "new", "second")
)
TEAM_A, TEAM_B, TEAM_C = (f"READ s3://data/Product/* to role/role-user{name}" for name in "ABC")
UNMANAGED = "READ s3://data/theirs/* to role/auditor"
BEFORE, AFTER = {KEPT, OLD, TEAM_A, TEAM_B}, {KEPT, NEW, OTHER, TEAM_A, TEAM_B, TEAM_C}


def set_up_before_change(setup: GrantorSetup) -> None:
    """Create the grants before the change, and an unmanaged one."""
    setup.create_unmanaged_grant("theirs/*", setup.create_role("auditor"))
    setup.put_policy("first", FIRST_FILE.format(name="old"))
    assert_settled(setup, BEFORE, {UNMANAGED})


def make_change(setup: GrantorSetup) -> None:
    """Make the change; no run has seen it yet."""
    setup.put_policy("first", FIRST_FILE.format(name="new"))
    setup.put_policy("second", SECOND_FILE)
    setup.create_profile("userC")
    setup.wait_for_profiles("userC")


def list_unmanaged_grants(setup: GrantorSetup) -> set[str]:
    """Return the grants that the ledger does not know."""
    return setup.describe_grants() - {describe_grant(grant, HOME) for grant in setup.read_ledger()}


def run_impatiently(setup: GrantorSetup) -> type[Exception] | None:
    """Run with impatient services; return the type of the error that ended the run, if any."""
    try:
        setup.reconcile(services=build_impatient_services(setup))
    except (ClientError, BotoCoreError, RetryableError, LeaseLost) as error:
        return type(error)
    return None
