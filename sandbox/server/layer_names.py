"""The versions of a layer by its ARN, as Lambda takes it besides the name: `sam sync --code` asks so."""

from collections.abc import Callable
from typing import Any

from sandbox.server.seams import wrap


def install() -> None:
    """Let the server's operation see the name alone."""
    wrap("ministack.services.lambda_svc", "_list_layer_versions", "layer_name, query_params", _by_name)


def _by_name(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda layer, query: original(layer.rpartition(":layer:")[2], query)
