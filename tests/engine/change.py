"""One change to a policy and to Studio, which many tests watch go wrong: `old` goes, `new` comes in
the same file, a second file, a profile.
"""

from botocore.exceptions import BotoCoreError, ClientError

from grantor.aws.clients import LeaseLost, RetryableError
from grantor.core.planning.rendering import describe_grant
from tests.engine.watch import at_rest, hasty
from tests.estate import HOME, Estate

FILE = """\
version: 1
rules:
  - {{name: kept, to: {{role: "arn:aws:iam::000000000000:role/auditor"}}, on: "s3://{{data_bucket}}/kept/*", allow: READ}}
  - {{name: {name}, to: {{role: "arn:aws:iam::000000000000:role/auditor"}}, on: "s3://{{data_bucket}}/{name}/*", allow: READ}}
  - {{name: team, to: {{profiles: {{domain: Product-Domain}}}}, on: "s3://{{data_bucket}}/Product/*", allow: READ}}
"""
SECOND = """\
version: 1
rules:
  - {name: second, to: {role: "arn:aws:iam::000000000000:role/auditor"}, on: "s3://{data_bucket}/second/*", allow: READ}
"""
KEPT, OLD, NEW, OTHER = (
    f"READ s3://data/{name}/* to role/auditor" for name in ("kept", "old", "new", "second")
)
A, B, C = (f"READ s3://data/Product/* to role/role-user{name}" for name in "ABC")
THEIRS = "READ s3://data/theirs/* to role/auditor"
BEFORE, AFTER = {KEPT, OLD, A, B}, {KEPT, NEW, OTHER, A, B, C}


def begin(estate: Estate) -> None:
    """All at rest, a foreign grant among it."""
    estate.foreign("theirs/*", estate.role("auditor"))
    estate.policy("first", FILE.format(name="old"))
    at_rest(estate, BEFORE, {THEIRS})


def change(estate: Estate) -> None:
    """The change, of which no run knows yet."""
    estate.policy("first", FILE.format(name="new"))
    estate.policy("second", SECOND)
    estate.profile("userC")
    estate.settle("userC")


def unmanaged(estate: Estate) -> set[str]:
    """Grants that the ledger knows nothing of."""
    return estate.grants() - {describe_grant(grant, HOME) for grant in estate.entries()}


def run(estate: Estate) -> type[Exception] | None:
    """One run that loses patience soon; what it said by raising that it could not do without
    something, if it did.
    """
    try:
        estate.run(world=hasty(estate))
    except (ClientError, BotoCoreError, RetryableError, LeaseLost) as error:
        return type(error)
    return None
