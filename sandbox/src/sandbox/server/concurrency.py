"""The account's quota of concurrent executions, and what functions may reserve of it.

A new account has 10. Sources: AWS, "Lambda quotas" and "Configuring reserved concurrency" (100
units stay unreserved); of smaller quotas all of it, as messages of such accounts show.
"""

import importlib
import json
from collections.abc import Callable
from typing import Any

from sandbox.server.control import current_switches
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import FunctionSwitches

SERVICE = "ministack.services.lambda_svc"
CAP = "_ACCOUNT_CONCURRENCY_CAP"
KEPT_UNRESERVED = 100  # executions, or the whole quota of an account that has fewer


def install() -> None:
    """Enforce the quota where an execution begins and where a function reserves some of it."""
    wrap_seam(SERVICE, "_acquire_execution_slot", "func, config", _limit_executions)
    wrap_seam(SERVICE, "_put_function_concurrency", "func_name, data", _keep_unreserved)
    wrap_seam(SERVICE, "_get_account_settings", "", _tell_quota)


def _limit_executions(original: Callable[..., Any]) -> Callable[..., Any]:
    machine = int(use_seam(SERVICE, CAP))  # what the machine's memory allows; 0 is no limit

    def acquire(func: dict[str, Any], config: dict[str, Any]) -> Any:
        quota = _find_quota()
        setattr(importlib.import_module(SERVICE), CAP, min(machine or quota, quota))
        return original(func, config)

    return acquire


def _keep_unreserved(original: Callable[..., Any]) -> Callable[..., Any]:
    functions = use_seam(SERVICE, "_functions")
    refuse = use_seam(SERVICE, "_invalid_parameter_value", "message")

    def put(func_name: str, data: dict[str, Any]) -> Any:
        others = _sum_reserved(functions, func_name)
        kept = min(KEPT_UNRESERVED, _find_quota())
        if _find_quota() - others - int(data.get("ReservedConcurrentExecutions", 0)) < kept:
            return refuse(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{kept}]."
            )
        return original(func_name, data)

    return put


def _tell_quota(original: Callable[[], Any]) -> Callable[[], Any]:
    functions = use_seam(SERVICE, "_functions")

    def settings() -> Any:
        status, headers, body = original()
        answer = json.loads(body)
        quota = _find_quota()
        answer["AccountLimit"] |= {
            "ConcurrentExecutions": quota,
            "UnreservedConcurrentExecutions": quota - _sum_reserved(functions),
        }
        return status, headers, json.dumps(answer).encode()

    return settings


def _find_quota() -> int:
    return int(current_switches(FunctionSwitches).concurrent_executions)


def _sum_reserved(functions: Any, but: str = "") -> int:
    """Return what all functions reserve, without the one named."""
    return sum(int(functions[name].get("concurrency") or 0) for name in functions if name != but)
