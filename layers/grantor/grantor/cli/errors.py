"""Errors of AWS, and of the way to it, as a person is told them. Read only once something went wrong: botocore takes its time."""

import re

from botocore import exceptions
from botocore.exceptions import ClientError

from grantor.aws.clients import UNANSWERED, NotYet, Overtaken, code, message

READING, EMERGENCY = ("Reader",), ("Reader", "BreakGlass")
MANAGED = {
    **dict.fromkeys(["plan", "status", "history", "jobs"], READING),
    "approve": ("Approver",),
    **dict.fromkeys(["apply", "adopt", "rebuild", "redrive"], EMERGENCY),
}  # the stack's managed policies that a verb needs
DENYING = {
    "approve": "Steward or BreakGlass",
    **dict.fromkeys(["apply", "adopt", "rebuild"], "Steward"),
}  # and those that deny it
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN = {"AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
LEDGER = {"GetItem", "PutItem", "Query", "Scan", "TransactWriteItems"}  # DynamoDB's operations
ACTION = re.compile(r"not authorized to perform: ?(?P<action>[\w-]+:\w+)(?: on resource: ?(?P<resource>\S+))?")
Kinds = tuple[type[Exception], ...]
BEFORE: tuple[tuple[Kinds, str], ...] = (
    (
        (exceptions.SSOTokenLoadError, exceptions.UnauthorizedSSOTokenError, exceptions.TokenRetrievalError),
        "your sign-in has expired: {}; say aws sso login",
    ),
    (
        (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError),
        "no AWS credentials: {}; log in (aws sso login, aws configure), or name a profile in AWS_PROFILE",
    ),
    ((exceptions.ProfileNotFound,), "{}: aws configure list-profiles shows those that there are; AWS_PROFILE chooses one"),
    ((Overtaken,), "{}; what was done is written down, and the other run goes on from there"),
    ((NotYet,), "AWS can not do this now: {}; say it again in a moment"),
    (UNANSWERED, "no answer from AWS: {}; look at your network, AWS_REGION and AWS_ENDPOINT_URL"),
    ((exceptions.BotoCoreError,), "{}"),
)  # what can go wrong before AWS answers, or instead


def told(error: Exception, verb: str) -> str | None:
    """The sentence for the error; None for one that is a defect."""
    if isinstance(error, ClientError):
        return _refused(error, verb)
    return next((sentence.format(error) for kinds, sentence in BEFORE if isinstance(error, kinds)), None)


def _refused(error: ClientError, verb: str) -> str:
    which, said = code(error), message(error)
    if which in EXPIRED:
        return f"your credentials have expired ({which}): log in again"
    if which in UNKNOWN:
        return f"AWS does not know your credentials ({which}: {said}): look at AWS_PROFILE and AWS_ACCESS_KEY_ID"
    if which in DENIED:
        return _denied(error.operation_name, said, verb)
    if which == "ResourceNotFoundException" and error.operation_name in LEDGER:
        return "the ledger's table is gone: deploy the stack again, then say grantor rebuild"
    return f"AWS refuses {error.operation_name}: {which}: {said}"


def _denied(operation: str, said: str, verb: str) -> str:
    found = ACTION.search(said)
    what = found["action"] if found else operation
    where = f" on {found['resource']}" if found and found["resource"] else ""
    return f"you may not {what}{where}: {_remedy(verb, explicit='explicit deny' in said)}"


def _remedy(verb: str, *, explicit: bool) -> str:
    if explicit:
        denies = f"; the stack's managed policy {DENYING[verb]} does" if verb in DENYING else ""
        return f"a policy denies it, whatever else allows it{denies}"
    policies = MANAGED[verb]
    named = f"policies {' and '.join(policies)}, whose ARNs are" if len(policies) > 1 else f"policy {policies[0]}, whose ARN is"
    return f"grantor {verb} needs the stack's managed {named} among its outputs"
