"""Applications that people sign in to, and the tokens that say for whom an application acts.

What a browser does is one function here, `sign_in`: the person signs in, and the application gets
an authorization code. From there on everything is as in AWS, "Identity-enhanced IAM role sessions":
CreateTokenWithIAM gives the code's token, and AssumeRole takes the token's identity context.
"""

import base64
import json
import secrets
from typing import Any

from sandbox.identity_center.directory import (
    Application,
    Directory,
    DirectoryError,
    DirectoryRequest,
    SignIn,
    directory_operation,
    get_entry,
    invalid_request,
)

CUSTOM_PROVIDER = "arn:aws:sso::aws:applicationProvider/custom"
GRANTS_SCOPE = "s3:access_grants:read_write"  # AWS, "S3 Access Grants and directory identities"
DEFAULT_SCOPES = ("openid", "aws", "sts:identity_context")  # API reference, CreateTokenWithIAM
CODE_SECONDS, TOKEN_SECONDS = 300, 3600
AUTHORIZATION_CODE = "authorization_code"


@directory_operation("sso-admin")
def create_application(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    if request["InstanceArn"] != directory.arn:
        raise DirectoryError("ResourceNotFoundException", "Instance not found")
    if request["ApplicationProviderArn"] != CUSTOM_PROVIDER:
        raise invalid_request(f"the sandbox has one application provider, {CUSTOM_PROVIDER}")
    name = f"{directory.instance}/apl-{secrets.token_hex(8)}"
    arn = f"arn:aws:sso::{directory.account}:application/{name}"
    directory.applications[arn] = Application(arn, dict(request), directory.clock())
    return {
        "ApplicationArn": arn,
        "InstanceArn": directory.arn,
        "IdentityStoreArn": directory.store_arn,
    }


@directory_operation("sso-admin")
def describe_application(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    return _describe_application(directory, _get_application(directory, request))


@directory_operation("sso-admin")
def list_applications(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    known = directory.applications.values() if request["InstanceArn"] == directory.arn else ()
    return {"Applications": [_describe_application(directory, one) for one in known]}


@directory_operation("sso-admin")
def delete_application(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    del directory.applications[_get_application(directory, request).arn]
    return {}


@directory_operation("sso-admin")
def put_application_grant(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    application = _get_application(directory, request)
    grant = request["Grant"].get("AuthorizationCode")
    if request["GrantType"] != AUTHORIZATION_CODE or not grant:
        raise invalid_request(f"the sandbox knows one type of grant, {AUTHORIZATION_CODE}")
    application.redirects = tuple(grant.get("RedirectUris") or ())
    return {}


@directory_operation("sso-admin")
def put_application_authentication_method(
    directory: Directory, request: DirectoryRequest
) -> dict[str, Any]:
    application = _get_application(directory, request)
    application.actors = request["AuthenticationMethod"]["Iam"]["ActorPolicy"]
    return {}


@directory_operation("sso-admin")
def put_application_access_scope(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    application = _get_application(directory, request)
    application.scopes = tuple(dict.fromkeys((*application.scopes, request["Scope"])))
    return {}


@directory_operation("sso-admin")
def put_application_assignment_configuration(
    directory: Directory, request: DirectoryRequest
) -> dict[str, Any]:
    application = _get_application(directory, request)
    application.is_assignment_required = request["AssignmentRequired"]
    return {}


@directory_operation("sso-admin")
def create_application_assignment(
    directory: Directory, request: DirectoryRequest
) -> dict[str, Any]:
    application = _get_application(directory, request)
    kind, identifier = request["PrincipalType"], request["PrincipalId"]
    get_entry(directory.users if kind == "USER" else directory.groups, kind, identifier)
    application.assigned.add((kind, identifier))
    return {}


def _get_application(directory: Directory, request: DirectoryRequest) -> Application:
    found = directory.applications.get(request["ApplicationArn"])
    if found is None:
        raise DirectoryError("ResourceNotFoundException", "Application not found")
    return found


def _describe_application(directory: Directory, application: Application) -> dict[str, Any]:
    asked = application.asked
    return {
        "ApplicationArn": application.arn,
        "ApplicationProviderArn": asked["ApplicationProviderArn"],
        "Name": asked["Name"],
        "ApplicationAccount": directory.account,
        "InstanceArn": directory.arn,
        "Status": asked.get("Status", "ENABLED"),
        "CreatedDate": application.created,
    }


def sign_in(directory: Directory, user: str, application: str, redirect: str) -> str:
    """Return the authorization code that the browser of a person takes to the application.

    `user` is their id. Raises DirectoryError if the person may not use the application.
    """
    who, to = get_entry(directory.users, "USER", user), directory.applications.get(application)
    if to is None or redirect not in to.redirects:
        raise DirectoryError("InvalidRequestException", "no application has this redirect URI")
    holders = {("USER", who.id), *(("GROUP", group) for group in directory.list_groups(who.id))}
    if to.is_assignment_required and not holders & to.assigned:
        raise DirectoryError("AccessDeniedException", "the user is not assigned to the application")
    code = secrets.token_urlsafe(32)
    until = directory.clock() + CODE_SECONDS
    directory.codes[code] = SignIn(who.id, application, redirect, to.scopes, until)
    return code


@directory_operation("sso-oidc", "CreateTokenWithIAM")
def create_token_with_iam(directory: Directory, request: DirectoryRequest) -> dict[str, Any]:
    """Exchange a code, once. Who may call it for the application is the adapter's to judge."""
    if request["grantType"] != AUTHORIZATION_CODE:
        raise _oauth_error("UnsupportedGrantTypeException", "unsupported_grant_type")
    if request["clientId"] not in directory.applications:
        raise _oauth_error("InvalidClientException", "invalid_client")
    found = directory.codes.pop(request.get("code", ""), None)
    if found is None or directory.clock() > found.expires:
        raise _oauth_error("InvalidGrantException", "invalid_grant")
    asked = (found.application, found.redirect)
    if asked != (request["clientId"], request.get("redirectUri")):
        raise _oauth_error("InvalidGrantException", "invalid_grant")
    known = (*DEFAULT_SCOPES, *found.scopes)
    scopes = tuple(request.get("scope") or known)
    if not set(scopes) <= set(known):
        raise _oauth_error("InvalidScopeException", "invalid_scope")
    return _issue_tokens(directory, found, scopes)


def _issue_tokens(directory: Directory, found: SignIn, scopes: tuple[str, ...]) -> dict[str, Any]:
    assertion, until = secrets.token_urlsafe(96), directory.clock() + TOKEN_SECONDS
    context = SignIn(found.user, found.application, found.redirect, scopes, until)
    directory.contexts[assertion] = context
    claims = {
        "iss": f"https://identitycenter.amazonaws.com/{directory.instance}",
        "sub": found.user,
        "aud": found.application,
        "exp": int(until),
        "sts:identity_context": assertion,
    }
    return {
        "accessToken": secrets.token_urlsafe(48),
        "tokenType": "Bearer",
        "expiresIn": TOKEN_SECONDS,
        "idToken": _encode_token(claims),
        "issuedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "scope": list(scopes),
        "awsAdditionalDetails": {"identityContext": assertion},
    }


def _encode_token(claims: dict[str, Any]) -> str:
    """Return claims in the form of a JWT. Nothing here verifies the signature, so it is random."""
    parts = (json.dumps({"alg": "RS384"}), json.dumps(claims), secrets.token_hex(48))
    return ".".join(base64.urlsafe_b64encode(one.encode()).decode().rstrip("=") for one in parts)


def _oauth_error(code: str, error: str) -> DirectoryError:
    return DirectoryError(code, error, error=error, error_description=error)


def find_context(directory: Directory, assertion: str) -> SignIn | None:
    """Return for whom an identity context speaks, if it is one of this directory and not over."""
    found = directory.contexts.get(assertion)
    return found if found and directory.clock() <= found.expires else None
