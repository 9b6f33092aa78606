"""Python functions in our own execution environments, in the place of the server's workers.

The server keeps what is its own: the API, versions, concurrency, asynchronous retries, the poller of event sources.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.functions import Environment, Function, Outcome
from sandbox.functions.code import layer_paths, unpacked
from sandbox.functions.environment import Host
from sandbox.server import event_sources
from sandbox.server.account import place, trusts
from sandbox.server.execution_role import may_log
from sandbox.server.seams import use, wrap

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.base_prefix) / "bin" / RUNTIME
LIBRARIES = Path(sys.prefix).parent / "runtime"
CORE = "ministack.core.lambda_runtime"
SERVICE = "ministack.services.lambda_svc"
REFUSAL = "code, message, status=400, extra=None, *, message_key='message', content_type='application/x-amz-json-1.0'"
SCRATCH = Path(tempfile.gettempdir()) / "functions"
Result = dict[str, Any]


def install() -> None:
    """Run Python functions in environments of ours; refuse, at creation, what could not run."""
    wrap(SERVICE, "_execute_function_warm", "func, event, request_id", _executing)
    wrap(CORE, "_worker_class_for", "config", lambda original: lambda config: _Worker if _ours(config) else original(config))
    wrap(SERVICE, "_create_function", "data", _checking)
    wrap(SERVICE, "_emit_lambda_logs", "func, request_id, log_text, error, duration_ms, *, log_source=None", _logging)
    wrap(CORE, "reset", "", _forgetting)
    event_sources.install()


class _Worker:
    """An environment as the server's pool keeps it."""

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        self.config, self.in_use, self.last_used = config, False, time.time()
        self._proc: Any = None  # the pool ends processes by this name
        folder = Path(tempfile.mkdtemp(prefix=f"{func_name}-", dir=_scratch("environments")))
        self._host = Host(PYTHON, LIBRARIES, folder, _variables(config))
        self._of, self.environment = _revision(config), Environment(_function(config, code_zip), self._host)

    def renew(self, config: dict[str, Any], code_zip: bytes) -> None:
        """Start anew if the function was changed since, as Lambda does."""
        if self._of != _revision(config):
            self.environment.stop()
            host = replace(self._host, variables=_variables(config))
            self.config, self._of, self.environment = config, _revision(config), Environment(_function(config, code_zip), host)

    def invoke(self, payload: bytes, request_id: str, trace_id: str | None) -> Outcome:
        outcome = self.environment.invoke(payload, request_id, trace_id)
        self._proc = self.environment.process
        return outcome

    def _discard_tmpdir(self) -> None:
        self.environment.stop()
        shutil.rmtree(self._host.folder, ignore_errors=True)


def _revision(config: dict[str, Any]) -> tuple[Any, ...]:
    return config.get("RevisionId"), config.get("CodeSha256"), config.get("LastModified")


def _executing(original: Callable[..., Result]) -> Callable[..., Result]:
    acquire = use(CORE, "acquire_worker", "func_name, config, code_zip, qualifier='$LATEST', max_concurrency=None")
    release = use(CORE, "release_worker", "worker")
    reap = use(SERVICE, "_ensure_reaper_thread", "")
    trace = use(SERVICE, "_xray_trace_id_for_invocation", "config, inbound_trace_header=None")

    def execute(func: dict[str, Any], event: Any, request_id: str) -> Result:
        config = func.get("config") or func
        if not _ours(config):
            return original(func, event, request_id)
        reap()
        qualifier = config.get("Version", "$LATEST")
        worker, _ = acquire(config["FunctionName"], config, func["code_zip"], qualifier=qualifier)
        try:
            worker.renew(config, func["code_zip"])
            return _result(worker.invoke(json.dumps(event).encode(), request_id, trace(config)))
        finally:
            release(worker)

    return execute


def _result(outcome: Outcome) -> Result:
    """The outcome as the server's own executors give it; "rie" says that the log has its START, END and REPORT lines."""
    body = json.loads(outcome.body) if outcome.body else None
    log = "\n".join(outcome.log)
    return {"body": body, "log": log, "log_source": "rie"} | ({"error": True} if outcome.failed else {})


def _ours(config: dict[str, Any]) -> bool:
    return config.get("Runtime") == RUNTIME and config.get("PackageType", "Zip") == "Zip"


def _function(config: dict[str, Any], code: bytes) -> Function:
    resolve, archives = use(SERVICE, "_resolve_layer_zip", "attachment"), _scratch("code")
    layers = [archive for layer in config.get("Layers", []) if (archive := resolve(layer))]
    return Function(
        name=config["FunctionName"],
        arn=config["FunctionArn"],
        version=config.get("Version", "$LATEST"),
        handler=config["Handler"],
        memory=int(config.get("MemorySize", 128)),
        timeout=float(config.get("Timeout", 3)),
        variables=dict(config.get("Environment", {}).get("Variables", {})),
        log_group=_log_group(config),
        paths=(unpacked(archives, code), *layer_paths(unpacked(archives, *layers))),
    )


def _log_group(config: dict[str, Any]) -> str:
    return str((config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}")


def _logging(original: Callable[..., None]) -> Callable[..., None]:
    """Write to the log group only what the function's role may write."""
    groups = use("ministack.services.cloudwatch_logs", "_log_groups")

    def emit(func: dict[str, Any], *words: Any, **more: Any) -> None:
        config = func.get("config") or func
        group = _log_group(config)
        if may_log(config, group, group in groups):
            original(func, *words, **more)

    return emit


def _variables(config: dict[str, Any]) -> dict[str, str]:
    """The execution role's session, the Region, and what leads the function's clients here.

    S3 Control goes through this server as its proxy: clients put the account before its host, a name that does not resolve.
    """
    given = config.get("Environment", {}).get("Variables", {})
    region = config["FunctionArn"].split(":")[3]
    here = f"http://localhost:{os.environ['GATEWAY_PORT']}"
    credentials = use(CORE, "execution_credentials", "config")(config)
    return credentials | {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": given.get("AWS_ENDPOINT_URL") or here,
        "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.sandbox",
        "HTTP_PROXY": here,
        "http_proxy": here,
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
    }


def _checking(original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a role that Lambda may not assume (AWS's text), and a Python that is not here (ours)."""
    refuse = use("ministack.core.responses", "error_response_json", REFUSAL)

    def create(data: dict[str, Any]) -> Any:
        runtime = str(data.get("Runtime", ""))
        if runtime.startswith("python") and runtime != RUNTIME:
            return refuse("InvalidParameterValueException", f"The sandbox runs {RUNTIME}; it has no {runtime}.", 400)
        if not trusts(str(data.get("Role", "")), "lambda.amazonaws.com", {"aws:SourceAccount": place()[0]}):
            return refuse("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.", 400)
        return original(data)

    return create


def _forgetting(original: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        original()
        event_sources.forget()
        shutil.rmtree(SCRATCH, ignore_errors=True)

    return reset


def _scratch(name: str) -> Path:
    folder = SCRATCH / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
