"""Who works in Studio: a session of the profile's execution role, and nothing else.

A presigned URL lets a person in as a profile. What they do in Studio is done with a session of the
profile's role, whose name is SageMaker and which carries the condition keys sagemaker:DomainId and
sagemaker:UserProfileName. A process in a running app of a private space has a session of the same
kind, from a container credentials endpoint; it ends with its app.

Sources: "User: arn:aws:sts::…:assumed-role/…/SageMaker is not authorized to perform:
sagemaker:AddTags" (aws/amazon-sagemaker-feedback, issue 88); Service Authorization Reference,
"Condition keys for Amazon SageMaker"; AWS SDKs and Tools Reference Guide, "Container credential
provider".
"""

import os
from collections.abc import Callable
from typing import Any

from sandbox.processing.container import RoleCredentials, SessionKeys
from sandbox.server import control, studio_adapter
from sandbox.server.account import expire_session, request_scope, start_session
from sandbox.server.seams import run_before_reset, use_seam
from sandbox.studio import SageMakerError, Studio
from sandbox.studio.domains import owner_of_space
from sandbox.studio.permissions import StudioVisit
from sandbox.studio.presigned_urls import use_presigned_url
from sandbox.switches import StudioSwitches

SESSION_SECONDS = 3600.0
_scope = use_seam("ministack.core.responses", "request_scope", "account_id, region")
# By the ARN and the creation of each running app whose credentials were asked for
APP_CREDENTIALS: dict[tuple[str, float], RoleCredentials] = {}


def install() -> None:
    """Answer /_sandbox/notebook."""
    run_before_reset(_close_all)
    control.ANSWERS["notebook"] = answer_notebook
    studio_adapter.AFTER_DELETED_APPS.append(end_app_sessions)


def answer_notebook(_: str, query: dict[str, str], __: bytes) -> tuple[int, Any]:
    """Answer with what somebody in Studio has.

    `url=`, a presigned URL: the keys of the session that opening it starts. `profile=`, or with
    `domain=`: the same without a URL. `space=` with `domain=`: the environment of a process in the
    space's running app, which holds the address of the app's credentials and no keys.
    """
    try:
        if "url" in query:
            return 200, _start_visit(use_presigned_url(studio_adapter.find_studio(), query["url"]))
        if "space" in query:
            return 200, build_app_variables(query.get("domain", ""), query["space"])
        return 200, _start_visit(_find_profile(query.get("profile", ""), query.get("domain")))
    except SageMakerError as error:
        return error.status, {"error": error.message}


def _find_profile(profile: str, domain: str | None) -> StudioVisit:
    profiles = studio_adapter.find_studio().profiles
    key = next((k for k in profiles if k[1] == profile and domain in (None, k[0])), None)
    if key is None:
        raise SageMakerError("ResourceNotFound", f"no Studio profile is named {profile}")
    return StudioVisit(*key)


def _start_visit(visit: StudioVisit, seconds: float = SESSION_SECONDS) -> SessionKeys:
    """Return a session of the profile's execution role, or of the domain's.

    Raises SageMakerError if SageMaker could not start one.
    """
    studio = studio_adapter.find_studio()
    profile = studio.profiles[visit.domain, visit.profile]
    own = profile.asked.get("UserSettings") or {}
    inherited = studio.domains[visit.domain].asked.get("DefaultUserSettings") or {}
    arn = own.get("ExecutionRole") or inherited.get("ExecutionRole") or ""
    if not studio_adapter.can_assume(arn, profile.arn):
        raise SageMakerError(
            "AccessDenied",
            f"the execution role {arn or '(none)'} of {visit.profile} does not exist or does not "
            "trust SageMaker",
            403,
        )
    spelling = control.current_switches(StudioSwitches).profile_names_in_policies
    return start_session(arn, "SageMaker", seconds, {"ConditionKeys": visit.session_keys(spelling)})


def build_app_variables(domain: str, space: str) -> dict[str, str]:
    """Return the environment of a process in the running app of a private space.

    Raises SageMakerError if no app runs there, or if the space has no owner.
    """
    studio = studio_adapter.find_studio()
    place = f"space {space}"
    app = next(
        (
            one
            for key, one in studio.apps.items()
            if key[:2] == (domain, place) and one.status(studio.clock()) == "InService"
        ),
        None,
    )
    if app is None:
        raise SageMakerError("ResourceNotFound", f"no app is InService in {place} of {domain}")
    owner = owner_of_space(studio.spaces[domain, space].asked)
    if not owner:
        raise SageMakerError("ValidationException", f"{place} has no owner: its role is not known")
    key = (app.arn, app.created)
    if key not in APP_CREDENTIALS:
        visit, where = StudioVisit(domain, owner), request_scope()
        APP_CREDENTIALS[key] = RoleCredentials(
            _make_app_session(studio, visit, where, key), owner, SESSION_SECONDS
        )
    credentials = APP_CREDENTIALS[key]
    credentials.current_keys()  # a role that SageMaker cannot assume is an error here
    return _list_variables(credentials, request_scope()[1])


def _make_app_session(
    studio: Studio, visit: StudioVisit, where: tuple[str, str], key: tuple[str, float]
) -> Callable[[float], SessionKeys]:
    def make(seconds: float) -> SessionKeys:
        with _scope(*where):
            if not _is_running(studio, key):
                raise SageMakerError("ResourceNotFound", f"{key[0]} does not run any more")
            return _start_visit(visit, seconds)

    return make


def _list_variables(credentials: RoleCredentials, region: str) -> dict[str, str]:
    """Return the variables: the Region, the app's credentials, and how to reach this AWS."""
    here = f"http://localhost:{os.environ['GATEWAY_PORT']}"
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials.address,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.token,
        "AWS_ENDPOINT_URL": here,
        # AWS's clients put the account before this host, a name that does not resolve.
        "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.sandbox",
        "HTTP_PROXY": here,
        "http_proxy": here,
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
    }


def end_app_sessions() -> None:
    """End the sessions of apps that do not run any more."""
    for key in [
        key for key in APP_CREDENTIALS if not _is_running(studio_adapter.find_studio(), key)
    ]:
        credentials = APP_CREDENTIALS.pop(key)
        expire_session(credentials.last_keys().get("AccessKeyId", ""))
        credentials.close()


def _is_running(studio: Studio, key: tuple[str, float]) -> bool:
    return any(
        (one.arn, one.created) == key and one.status(studio.clock()) == "InService"
        for one in studio.apps.values()
    )


def _close_all() -> None:
    for credentials in APP_CREDENTIALS.values():
        credentials.close()
    APP_CREDENTIALS.clear()
