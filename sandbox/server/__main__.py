"""`python -m sandbox.server --port 4566`: the server with all that we add, in the foreground, loopback only."""

import argparse
import importlib
import os
import sys

EXTENSIONS = (
    "judgements", "judged", "leading_keys", "tables", "resource_tags", "directory", "access_grants", "trails", "studio", "processing",
    "settling", "events", "functions", "dependencies", "stacks", "batch_delete", "calls", "faults", "front", "control",
    "transport", "layer_names",
)  # fmt: skip


def install() -> None:
    """Put every extension in place: each module of EXTENSIONS has an `install()` that declares its seams."""
    for name in EXTENSIONS:
        importlib.import_module(f"sandbox.server.{name}").install()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m sandbox.server")
    arguments.add_argument("--port", type=int, default=4566)
    port = arguments.parse_args().port
    # IAM enforced, loopback only, and none of the side listeners (MQTT, SFTP) that the server opens by itself.
    os.environ.update(
        AUTH="true", BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), IOT_MTLS_ENABLED="0", SFTP_ENABLED="0",
        MINISTACK_HOST="localhost", LAMBDA_EXECUTOR="local",
    )  # fmt: skip
    install()
    from ministack.app import main as serve

    sys.argv = sys.argv[:1]  # the server reads the command line itself
    serve()


if __name__ == "__main__":
    main()
