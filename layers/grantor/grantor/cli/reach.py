"""grantor reach: what somebody reaches; without a name what the caller does, by its own rights.

S3 Access Grants names everybody their own grants, and nothing else of them: not why they are there,
since when, until when, and not who is responsible. Whom to ask follows from policy files alone.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from grantor.cli.check import parse_folder
from grantor.cli.output import Progress, format_count
from grantor.cli.questions import AccessListing, choose_principal, print_listing, print_table
from grantor.cli.session import CommandError, Session, UsageError
from grantor.cli.sources import read_state
from grantor.core.access.answer_text import describe_principal, encode_principal
from grantor.core.data_access import STEWARD, CallerGrant, find_owners
from grantor.core.diagnostics import join_words
from grantor.core.grant import split_uri
from grantor.core.planning.rendering import SCHEMA_VERSION, Json

HEAD = ("permission", "scope", "through", "ask")
UNKNOWN = (
    "only policy files say whom to ask, and S3 does not say why a grant is there: name a folder of "
    f"them with --policy, or ask {STEWARD}"
)
Owned = Sequence[tuple[CallerGrant, Sequence[str]]]  # grants, each with whom to ask


def run_reach(session: Session) -> int:
    """Exits with 0."""
    if session.arguments.who is None:
        return answer_caller(session)
    state = read_state(session)
    who = choose_principal(session.arguments.who, state)
    rows = state.list_reach(who)
    name = describe_principal(who, state.home)
    head = f"{name} reaches {format_count(len({row.grant.scope for row in rows}), 'scope')}"
    question = {"who": encode_principal(who)}
    print_listing(session, state, AccessListing("reach", question, head, rows))
    return 0


def answer_caller(session: Session) -> int:
    """Exits with 0, also without grants. Costs a call for the caller, and one per page of grants.

    Raises UsageError for what the caller's own rights do not answer, CommandError if the caller may
    not list its grants.
    """
    given = session.arguments
    for option, value in (("--profiles", given.profiles), ("--as-of", given.as_of)):
        if value:
            raise UsageError(f"{option} needs WHO: only S3 itself says now who you are")
    account = given.account or session.caller.account
    owned = _find_owned(given.policy, _list_grants(session, account))
    scopes = format_count(len({grant.scope for grant, _ in owned}), "scope")
    place = f"{session.clients.region} of account {account}"
    head = f"{session.caller.arn} reaches {scopes} in {place}"
    print_table(session, head, list(_build_table(owned)))
    if not given.policy and not given.csv:
        session.output.print_line(f"unknown: {UNKNOWN}")
    session.output.print_json(_encode_owned(session, account, owned))
    return 0


def _encode_owned(session: Session, account: str, owned: Owned) -> Json:
    listed = [
        {
            "permission": str(grant.permission),
            "scope": grant.scope,
            "application": grant.application or None,
            "owners": list(owners),
        }
        for grant, owners in owned
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "own_reach",
        "caller": session.caller.arn,
        "account": account,
        "region": session.clients.region,
        "grants": listed,
    }


def _list_grants(session: Session, account: str) -> list[CallerGrant]:
    """The caller's grants, in order of their scopes."""
    from botocore.exceptions import ClientError

    from grantor.aws.clients import error_code, error_message
    from grantor.aws.vended_sessions import list_caller_grants

    place = f"{session.clients.region} of account {account}"
    try:
        with Progress("reading your grants"):
            found = list_caller_grants(session.clients.s3control, account)
    except ClientError as error:
        code, message = error_code(error), error_message(error)
        if code == "AccessGrantsInstanceNotExistsError":
            raise CommandError(
                f"there are no S3 Access Grants in {place}: name the Region of the data with "
                "--region or AWS_REGION, and its account with --account if it is not yours"
            ) from error
        if code == "AccessDenied":
            raise CommandError(
                f"you may not list your own grants in {place} ({message}): your role needs "
                "s3:ListCallerAccessGrants, which the stack's managed policy Notebook allows"
            ) from error
        raise
    return sorted(found, key=lambda grant: (grant.scope, grant.permission, grant.application))


def _find_owned(folder: str | None, grants: Sequence[CallerGrant]) -> Owned:
    """The grants, each with the owners of the rules that may have given it; a rule's {data_bucket}
    stands for the bucket of the grant.
    """
    parse = cache(lambda bucket: parse_folder(folder, bucket))
    return [(one, find_owners(parse(split_uri(one.scope)[0]), one.scope)) for one in grants]


def _build_table(owned: Owned) -> Iterator[tuple[str, ...]]:
    yield HEAD
    for grant, owners in owned:
        ask = join_words(owners, "or") if owners else ""
        yield str(grant.permission), grant.scope, grant.application, ask
