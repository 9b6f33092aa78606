"""`grantor credentials`: credentials of S3 Access Grants, in the form that a tool reads.

It asks as the caller. What it prints is secret, and nothing else repeats it: no log, no error, no
progress line.
"""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message
from grantor.aws.vended_sessions import list_caller_grants, vend_credentials
from grantor.cli.arguments import CONFIG, ENVIRONMENT, PROCESS
from grantor.cli.check import parse_folder
from grantor.cli.output import print_error
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.data_access import (
    CallerGrant,
    DataRequest,
    Refusal,
    VendedCredentials,
    build_target,
    find_duration_faults,
    find_owners,
    find_profile_faults,
    find_url_faults,
    format_credential_process,
    format_exports,
    format_profile,
    name_profile,
)
from grantor.core.diagnostics import Fault
from grantor.core.grant import Permission, split_uri

ASKING = "GRANTOR_ASKS_FOR_CREDENTIALS"  # a variable of every process that this one starts
REMEDY = (
    "your role needs s3:GetDataAccess, which the stack's managed policy Notebook allows; another "
    "account's S3 Access Grants must allow it by their resource policy, too"
)


class NoGrant(CommandError):
    """S3 Access Grants refuses, because no grant of the caller covers the request (exit code 4)."""

    exit_code = 4


def run_credentials(session: Session) -> int:
    """Print credentials, or a profile whose command prints them; return 0.

    Costs one call, and one more without --account. Raises UsageError for what names nothing in S3
    or does not fit into a profile, NoGrant if no grant covers the request, CommandError if
    something else is in the way.
    """
    arguments, output = session.arguments, session.output
    request = build_request(arguments)
    with asking_as_caller(session):
        if arguments.format == CONFIG:
            output.print_lines(write_profile(session, request))
            return 0
        vended = vend(session, request)
    if arguments.format == ENVIRONMENT:
        output.print_lines(format_exports(vended))
        return 0
    output.print_line(format_credential_process(vended))
    if sys.stderr.isatty():
        print_error(vended.describe())
    return 0


def build_request(arguments: Namespace) -> DataRequest:
    """What the arguments ask for. Raises UsageError if that cannot be asked for."""
    _raise_faults([*find_url_faults(arguments.url), *find_duration_faults(arguments.duration)])
    return DataRequest(
        build_target(arguments.url),
        Permission(arguments.permission),
        arguments.privilege == "Minimal",
        arguments.duration,
    )


def write_profile(session: Session, request: DataRequest) -> list[str]:
    """A profile that gets what this request gets now. Costs and errors as run_credentials."""
    name = session.arguments.name or name_profile(request.target)
    command = build_command(session, request)
    _raise_faults(find_profile_faults(name, command))
    config = session.clients.session
    if name in config.available_profiles:  # AWS's tools read no file that has a profile twice
        raise UsageError(
            f"{config.get_config_variable('config_file')} has a profile {name} already: remove it "
            "there, or choose another --name"
        )
    vended = vend(session, request)
    granted = f"{vended.permission} on {vended.scope}"
    return format_profile(name, session.clients.region, command, granted)


@contextmanager
def asking_as_caller(session: Session) -> Iterator[None]:
    """Settle which profile asks, before the first call.

    A tool that runs this for a profile may have that profile's name in AWS_PROFILE, so it does not
    count. Raises CommandError if the caller's own credentials come from this command, which would
    start itself without end.
    """
    if os.environ.get(ASKING):
        raise CommandError(
            "the credentials that ask come from grantor credentials themselves: name a profile "
            "of your own with --profile"
        )
    if session.arguments.format == PROCESS and session.arguments.profile is None:
        session.arguments.profile = ""
    os.environ[ASKING] = "yes"
    try:
        yield
    finally:
        del os.environ[ASKING]


def vend(session: Session, request: DataRequest) -> VendedCredentials:
    """Get the credentials. Raises CommandError as run_credentials does."""
    account = session.arguments.account or session.caller.account
    try:
        return vend_credentials(session.clients.s3control, account, request)
    except ClientError as error:
        raise _explain(session, request, account, error) or error from error


def build_command(session: Session, request: DataRequest) -> list[str]:
    """The command for a profile: it asks for the same, as the same caller."""
    arguments = session.arguments
    profile = arguments.profile or os.environ.get("AWS_PROFILE")
    options = {
        "--permission": str(request.permission),
        "--duration": request.seconds and str(request.seconds),
        "--privilege": arguments.privilege if request.minimal else None,
        "--account": arguments.account,
        "--region": session.clients.region,
        "--profile": profile,
        "--format": PROCESS,
    }
    given = [word for option, value in options.items() if value for word in (option, value)]
    # Who starts the tool may have another PATH; this Python is there.
    program = ["grantor"] if shutil.which("grantor") else [sys.executable, "-m", "grantor"]
    return [*program, "credentials", arguments.url, *given]


def _explain(
    session: Session, request: DataRequest, account: str, error: ClientError
) -> CommandError | None:
    """What the caller can do about an answer of AWS; None if that is clear from the answer."""
    code, message = error_code(error), error_message(error)
    place = f"{session.clients.region} of account {account}"
    if code == "AccessGrantsInstanceNotExistsError":
        return CommandError(
            f"there are no S3 Access Grants in {place}: name the Region of the bucket with "
            "--region or AWS_REGION, and its account with --account if it is not yours"
        )
    if code == "StsValidationError" and request.seconds:
        return CommandError(
            f"no credentials for {request.target} live so long ({message}): ask for a shorter "
            "--duration"
        )
    if code != "AccessDenied":
        return None
    if "not authorized to perform" in message:
        return CommandError(f"you may not ask S3 Access Grants in {place} ({message}): {REMEDY}")
    grants = _list_grants(session, request, account)
    policies = parse_folder(session.arguments.policy, split_uri(request.target)[0])
    owners = find_owners(policies, request.target)
    return NoGrant(Refusal(request, session.caller.arn, place, grants, owners).explain())


def _list_grants(
    session: Session, request: DataRequest, account: str
) -> Sequence[CallerGrant] | None:
    """The caller's grants in the bucket, for an explanation; None if they cannot be listed."""
    bucket = split_uri(request.target)[0]
    try:
        return list_caller_grants(session.clients.s3control, account, bucket)
    except (ClientError, RetryableError):
        return None


def _raise_faults(faults: Iterable[Fault]) -> None:
    """Raise UsageError for the first fault, if there is one."""
    for fault in faults:
        raise UsageError(fault.sentence)
