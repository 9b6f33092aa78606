"""Python functions in execution environments of our own, instead of the server's workers.

Deployed archives become folders, each content unpacked once. The server keeps its API, versions,
concurrency, asynchronous retries and the poller of event sources. Versions of a layer are also
listed by its ARN, as Lambda accepts it: `sam sync --code` does so.
"""

import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from sandbox.functions import Environment, Function, InvocationResult
from sandbox.functions.environment import Host
from sandbox.paths import find_lambda_runtime
from sandbox.server import concurrency, event_sources, recursion
from sandbox.server.account import function_may_log, request_scope, trusts_service
from sandbox.server.recursion import begin_invocation
from sandbox.server.seams import use_seam, wrap_seam

_UNPACKING = Lock()
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.base_prefix) / "bin" / RUNTIME
CORE = "ministack.core.lambda_runtime"
SERVICE = "ministack.services.lambda_svc"
REFUSAL = (
    "code, message, status=400, extra=None, *, message_key='message', "
    "content_type='application/x-amz-json-1.0'"
)
FUNCTION_SCRATCH = Path(tempfile.gettempdir()) / "functions"
FUNCTION_CLOCK = FUNCTION_SCRATCH / "clock"  # exists once time was moved on
FunctionResult = dict[str, Any]


def unpack_archives(folder: Path, *archives: bytes) -> Path:
    """Return the folder below `folder` with the archives' files, merged.

    A file of a later archive replaces that of an earlier one, as in layers (AWS, "Adding layers
    to functions"). Raises ValueError for a path that would leave the folder.
    """
    place = (
        folder
        / hashlib.sha256(
            b"".join(hashlib.sha256(archive).digest() for archive in archives)
        ).hexdigest()[:32]
    )
    with _UNPACKING:
        if not place.exists():
            partial = place.with_suffix(".partial")
            partial.mkdir(exist_ok=True)
            for archive in archives:
                _unpack_archive(archive, partial)
            partial.rename(place)
    return place


def layer_paths(layers: Path) -> tuple[Path, ...]:
    """Return where Python looks in the merged layers (AWS, "Packaging your layer content")."""
    return layers / "python" / "lib" / "python3.12" / "site-packages", layers / "python"


def _unpack_archive(archive: bytes, place: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            target = (place / member.filename).resolve()
            if not target.is_relative_to(place.resolve()):
                raise ValueError(f"the archive has a path that leaves it: {member.filename}")
            # Extracting loses the mode, and a bundled program needs its own.
            opened.extract(member, place)
            if mode := member.external_attr >> 16:
                target.chmod(mode | 0o600)


def install() -> None:
    """Run Python functions in our environments. Refuse at creation what could not run."""
    wrap_seam(SERVICE, "_execute_function_warm", "func, event, request_id", _execute_in_environment)
    wrap_seam(
        CORE,
        "_worker_class_for",
        "config",
        lambda original: (
            lambda config: _FunctionWorker if _is_emulated(config) else original(config)
        ),
    )
    wrap_seam(SERVICE, "_create_function", "data", _check_function)
    wrap_seam(
        SERVICE,
        "_emit_lambda_logs",
        "func, request_id, log_text, error, duration_ms, *, log_source=None",
        _write_allowed_logs,
    )
    wrap_seam(CORE, "reset", "", _reset_functions)
    recursion.install()
    concurrency.install()
    event_sources.install()
    _install_layer_names()


class _FunctionWorker:
    """An environment as the server's pool keeps it."""

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        self.config, self.in_use, self.last_used = config, False, time.time()
        self._proc: Any = None  # the pool ends processes by this name
        folder = Path(tempfile.mkdtemp(prefix=f"{func_name}-", dir=_make_scratch("environments")))
        self._host = Host(
            PYTHON,
            find_lambda_runtime(Path(tempfile.gettempdir())),
            folder,
            _build_variables(config),
            _find_clock(),
        )
        self._of, self.environment = (
            _find_revision(config),
            Environment(_describe_function(config, code_zip), self._host),
        )

    def renew(self, config: dict[str, Any], code_zip: bytes) -> None:
        """Restart if the function was changed since, as Lambda does, or time was moved on."""
        if self._of != _find_revision(config):
            self.environment.stop()
            host = replace(self._host, variables=_build_variables(config), clock=_find_clock())
            self.config, self._of, self.environment = (
                config,
                _find_revision(config),
                Environment(_describe_function(config, code_zip), host),
            )

    def invoke(self, payload: bytes, request_id: str, trace_id: str | None) -> InvocationResult:
        outcome = self.environment.invoke(payload, request_id, trace_id)
        self._proc = self.environment.process
        return outcome

    def _discard_tmpdir(self) -> None:
        self.environment.stop()
        shutil.rmtree(self._host.folder, ignore_errors=True)


def _find_revision(config: dict[str, Any]) -> tuple[Any, ...]:
    changes = config.get("RevisionId"), config.get("CodeSha256"), config.get("LastModified")
    return *changes, _find_clock()


def _find_clock() -> Path | None:
    return FUNCTION_CLOCK if FUNCTION_CLOCK.exists() else None


def _execute_in_environment(
    original: Callable[..., FunctionResult],
) -> Callable[..., FunctionResult]:
    acquire = use_seam(
        CORE,
        "acquire_worker",
        "func_name, config, code_zip, qualifier='$LATEST', max_concurrency=None",
    )
    release = use_seam(CORE, "release_worker", "worker")
    reap = use_seam(SERVICE, "_ensure_reaper_thread", "")

    def execute(func: dict[str, Any], event: Any, request_id: str) -> FunctionResult:
        config = func.get("config") or func
        if not _is_emulated(config):
            return original(func, event, request_id)
        reap()
        qualifier = config.get("Version", "$LATEST")
        worker, _ = acquire(config["FunctionName"], config, func["code_zip"], qualifier=qualifier)
        try:
            worker.renew(config, func["code_zip"])
            return _format_result(
                worker.invoke(json.dumps(event).encode(), request_id, begin_invocation(config))
            )
        finally:
            release(worker)

    return execute


def _format_result(outcome: InvocationResult) -> FunctionResult:
    """Return the result as the server's own executors do.

    "rie" says that the log has its START, END and REPORT lines.
    """
    body = json.loads(outcome.body) if outcome.body else None
    log = "\n".join(outcome.log)
    return {"body": body, "log": log, "log_source": "rie"} | (
        {"error": True} if outcome.failed else {}
    )


def _is_emulated(config: dict[str, Any]) -> bool:
    return config.get("Runtime") == RUNTIME and config.get("PackageType", "Zip") == "Zip"


def _describe_function(config: dict[str, Any], code: bytes) -> Function:
    resolve, archives = use_seam(SERVICE, "_resolve_layer_zip", "attachment"), _make_scratch("code")
    layers = [archive for layer in config.get("Layers", []) if (archive := resolve(layer))]
    return Function(
        name=config["FunctionName"],
        arn=config["FunctionArn"],
        version=config.get("Version", "$LATEST"),
        handler=config["Handler"],
        memory=int(config.get("MemorySize", 128)),
        timeout=float(config.get("Timeout", 3)),
        variables=dict(config.get("Environment", {}).get("Variables", {})),
        log_group=_name_log_group(config),
        paths=(unpack_archives(archives, code), *layer_paths(unpack_archives(archives, *layers))),
    )


def _name_log_group(config: dict[str, Any]) -> str:
    return str(
        (config.get("LoggingConfig") or {}).get("LogGroup")
        or f"/aws/lambda/{config['FunctionName']}"
    )


def _write_allowed_logs(original: Callable[..., None]) -> Callable[..., None]:
    """Write to the log group only what the function's role may write."""
    groups = use_seam("ministack.services.cloudwatch_logs", "_log_groups")

    def emit(func: dict[str, Any], *words: Any, **more: Any) -> None:
        config = func.get("config") or func
        group = _name_log_group(config)
        if function_may_log(config, group, group in groups):
            original(func, *words, **more)

    return emit


def _build_variables(config: dict[str, Any]) -> dict[str, str]:
    """Return the execution role's session, the Region and the endpoints for the function's clients.

    S3 Control goes through this server as its proxy: clients put the account before its host, a
    name that does not resolve.
    """
    given = config.get("Environment", {}).get("Variables", {})
    region = config["FunctionArn"].split(":")[3]
    here = f"http://localhost:{os.environ['GATEWAY_PORT']}"
    credentials: dict[str, str] = use_seam(CORE, "execution_credentials", "config")(config)
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


def _check_function(original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a role that Lambda may not assume (AWS's text) and another Python (our text)."""
    refuse = use_seam("ministack.core.responses", "error_response_json", REFUSAL)

    def create(data: dict[str, Any]) -> Any:
        runtime = str(data.get("Runtime", ""))
        if runtime.startswith("python") and runtime != RUNTIME:
            return refuse(
                "InvalidParameterValueException",
                f"The sandbox runs {RUNTIME}; it has no {runtime}.",
                400,
            )
        if not trusts_service(
            str(data.get("Role", "")),
            "lambda.amazonaws.com",
            {"aws:SourceAccount": request_scope()[0]},
        ):
            return refuse(
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
                400,
            )
        return original(data)

    return create


def _reset_functions(original: Callable[[], None]) -> Callable[[], None]:
    def reset_all() -> None:
        original()
        event_sources.close_windows()
        shutil.rmtree(FUNCTION_SCRATCH, ignore_errors=True)

    return reset_all


def _make_scratch(name: str) -> Path:
    folder = FUNCTION_SCRATCH / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _install_layer_names() -> None:
    """Pass the layer's name alone to the server's operation."""
    wrap_seam(
        "ministack.services.lambda_svc",
        "_list_layer_versions",
        "layer_name, query_params",
        _list_by_name,
    )


def _list_by_name(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda layer, query: original(layer.rpartition(":layer:")[2], query)
