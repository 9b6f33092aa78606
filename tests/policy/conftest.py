"""`pytest tests/policy --update` makes today's messages the expected ones and prints the diff."""

import os

import pytest

from tests.policy.corpus import update_corpus


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = "write today's messages into tests/policy/corpus and print what changed"
    parser.addoption("--update", action="store_true", help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--update", default=False) or hasattr(config, "workerinput"):
        return
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise pytest.UsageError(
            "--update is off in CI: update the corpus on your machine, and commit the diff"
        )
    print(update_corpus() or "the corpus is up to date")
