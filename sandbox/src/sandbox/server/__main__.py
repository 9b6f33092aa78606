"""`python -m sandbox.server --port 4566`: the server with all extensions, in the foreground.

It listens on loopback only.
"""

import argparse
import importlib
import os
import sys

EXTENSIONS = (
    "sign_in",
    "principals",
    "refusals",
    "judgements",
    "s3_authorization",
    "s3_documents",
    "s3_uploads",
    "bucket_configuration",
    "condition_keys",
    "dynamodb_checks",
    "simulation",
    "quotas",
    "lake_formation",
    "directory_adapter",
    "grants_adapter",
    "cloudtrail",
    "studio_adapter",
    "notebooks",
    "processing_adapter",
    "event_bus",
    "lambda_functions",
    "time_passing",
    "queue_metrics",
    "judged_calls",
    "network",
    "limit_checks",
    "s3_encryption",
    "attached_policies",
    "cloudformation",
    "deleted_tables",
    "batch_delete",
    "fault_injection",
    "gateway",
    "control",
    "door",
    "s3_addresses",
)


def install() -> None:
    """Install every extension: each module of EXTENSIONS has an `install()` with its seams."""
    for name in EXTENSIONS:
        importlib.import_module(f"sandbox.server.{name}").install()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m sandbox.server")
    arguments.add_argument("--port", type=int, default=4566)
    port = arguments.parse_args().port
    # IAM enforced, loopback only, and none of the listeners (MQTT, SFTP) that the server
    # opens by default.
    os.environ.update(
        AUTH="true",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        MINISTACK_HOST="localhost",
        LAMBDA_EXECUTOR="local",
    )
    install()
    from ministack.app import main as serve

    sys.argv = sys.argv[:1]  # the server reads the command line itself
    serve()


if __name__ == "__main__":
    main()
