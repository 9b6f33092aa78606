"""Explains errors from AWS, and on the way to AWS, to a person.

Imported only after a failure: botocore is slow to import.
"""

import re

from botocore import exceptions
from botocore.exceptions import ClientError

from grantor.aws.clients import (
    CONNECTION_ERRORS,
    LeaseLost,
    RetryableError,
    error_code,
    error_message,
)
from grantor.cli.commands import Command
from grantor.cli.session import explain_needs
from grantor.core.access.grant_history import HistoryUnreadable

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
LEDGER_OPERATIONS = {"GetItem", "PutItem", "Query", "Scan", "TransactWriteItems"}  # of DynamoDB
ACTION = re.compile(
    r"not authorized to perform: ?(?P<action>[\w-]+:\w+)(?: on resource: ?(?P<resource>\S+))?"
)
ErrorTypes = tuple[type[Exception], ...]
EXPLANATIONS: tuple[tuple[ErrorTypes, str], ...] = (
    (
        (
            exceptions.SSOTokenLoadError,
            exceptions.UnauthorizedSSOTokenError,
            exceptions.TokenRetrievalError,
        ),
        "your sign-in has expired: {}; run aws sso login",
    ),
    (
        (
            exceptions.NoCredentialsError,
            exceptions.PartialCredentialsError,
            exceptions.CredentialRetrievalError,
        ),
        "no AWS credentials: {}; sign in (aws sso login, aws configure) or set AWS_PROFILE",
    ),
    (
        (exceptions.ProfileNotFound,),
        "{}: aws configure list-profiles lists the profiles; choose one with AWS_PROFILE",
    ),
    ((LeaseLost,), "{}; what was done is recorded, and the other run continues from there"),
    ((HistoryUnreadable,), "the history of grants cannot be read: {}"),
    ((RetryableError,), "AWS cannot do this now: {}; try again in a moment"),
    (
        CONNECTION_ERRORS,
        "no answer from AWS: {}; check your network, AWS_REGION and AWS_ENDPOINT_URL",
    ),
    ((exceptions.BotoCoreError,), "{}"),
)  # errors that are not an answer of AWS


def explain_error(error: Exception, command: Command) -> str | None:
    """Return a sentence that says what failed and what to do; None if the error is our defect."""
    if isinstance(error, ClientError):
        return _explain_refusal(error, command)
    explanations = (text for types, text in EXPLANATIONS if isinstance(error, types))
    return next((text.format(error) for text in explanations), None)


def _explain_refusal(error: ClientError, command: Command) -> str:
    code, message = error_code(error), error_message(error)
    if code in EXPIRED:
        return f"your credentials have expired ({code}): sign in again"
    if code in UNKNOWN:
        return (
            f"AWS does not know your credentials ({code}: {message}): "
            "check AWS_PROFILE and AWS_ACCESS_KEY_ID"
        )
    if code in DENIED:
        return _explain_denial(error.operation_name, message, command)
    if code == "ResourceNotFoundException" and error.operation_name in LEDGER_OPERATIONS:
        return (
            "the ledger table does not exist: restore it, or create it again and run grantor "
            "rebuild; docs/operations.md, A lost ledger, has the commands"
        )
    return f"AWS refuses {error.operation_name}: {code}: {message}"


def _explain_denial(operation: str, message: str, command: Command) -> str:
    found = ACTION.search(message)
    action = found["action"] if found else operation
    resource = f" on {found['resource']}" if found and found["resource"] else ""
    remedy = _suggest_policy(command, is_explicit="explicit deny" in message)
    return f"you may not {action}{resource}: {remedy}"


def _suggest_policy(command: Command, *, is_explicit: bool) -> str:
    if is_explicit:
        denies = (
            f"; the stack's managed policy {' or '.join(command.denied_by)} does"
            if command.denied_by
            else ""
        )
        return f"a policy denies it, whatever else allows it{denies}"
    return explain_needs(command) if command.policies else "ask whoever manages your permissions"
