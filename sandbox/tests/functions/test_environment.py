"""A function's process sees what Lambda shows it and nothing else.

And ends as it does on Lambda.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.functions.environment import Environment, Function, Host, InvocationResult

ROOT = Path(__file__).parents[3]
PYTHON = Path(sys.base_prefix) / "bin/python3.12"
Make = Callable[..., Environment]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """An environment for a function of this source; stopped afterwards."""
    made: list[Environment] = []

    def of(
        source: str, *, timeout: float = 5, memory: int = 256, layer: dict[str, str] | None = None
    ) -> Environment:
        code, layered = tmp_path / "code", tmp_path / "layer"
        for folder, files in ((code, {"app.py": source}), (layered, layer or {})):
            folder.mkdir()
            for name, text in files.items():
                (folder / name).write_text(text)
        arn = "arn:aws:lambda:us-east-1:000000000000:function:toy"
        function = Function(
            "toy",
            arn,
            "$LATEST",
            "app.handler",
            memory,
            timeout,
            {"OWN": "1"},
            "/aws/lambda/toy",
            (code, layered),
        )
        host = Host(
            PYTHON, ROOT / ".tools/runtime", tmp_path / "environment", {"AWS_REGION": "us-east-1"}
        )
        made.append(Environment(function, host))
        return made[-1]

    yield of
    for environment in made:
        environment.stop()


def handler(body: str) -> str:
    return f"def handler(event, context):\n    {body}\n"


def value(outcome: InvocationResult) -> Any:
    assert not outcome.failed, outcome
    return json.loads(outcome.body)


def error(outcome: InvocationResult) -> dict[str, Any]:
    assert outcome.failed, outcome
    return dict(json.loads(outcome.body))


def test_it_sees_lambdas_variables_and_its_own_and_none_of_the_host(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_HOST", "1")

    seen = value(make("import os\n" + handler("return sorted(os.environ)")).invoke(b"{}", "r1"))

    assert set(seen) - {"LC_CTYPE", "_X_AMZN_TRACE_ID", "AWS_LAMBDA_LOG_STREAM_NAME"} == {
        "OWN", "AWS_REGION", "_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "LANG", "PATH", "PYTHONPATH", "TMPDIR", "TZ",
    }  # fmt: skip


def test_its_own_code_comes_before_its_layers_and_they_before_lambdas_libraries(make: Make) -> None:
    source = "import shared, boto3\n" + handler("return [shared.said, boto3.said]")
    layer = {"shared.py": "said = 'layer'", "boto3.py": "said = 'layer'"}
    environment = make(source, layer=layer)
    (environment.function.paths[0] / "shared.py").write_text("said = 'code'")

    assert value(environment.invoke(b"{}", "r1")) == ["code", "layer"]


@pytest.mark.parametrize("library", ["pytest", "moto", "ministack", "sandbox"])
def test_a_library_that_was_not_built_in_is_missed(make: Make, library: str) -> None:
    said = error(make(f"import {library}\n" + handler("return 1")).invoke(b"{}", "r1"))

    assert said["errorType"] == "Runtime.ImportModuleError"
    assert f"No module named '{library}'" in said["errorMessage"]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1 / 0\n", "ZeroDivisionError"),
        ("import sys; sys.exit(3)\n", "Runtime.ExitError"),
        ("def\n", "Runtime.UserCodeSyntaxError"),
        ("x = 1\n", "Runtime.HandlerNotFound"),
        (handler("raise ValueError('no')"), "ValueError"),
        (handler("import os; os._exit(7)"), "Runtime.ExitError"),
        (handler("return object()"), "Runtime.MarshalError"),
        (handler("return 'x' * 7_000_000"), "Function.ResponseSizeTooLarge"),
        (handler("import time; time.sleep(60)"), "Sandbox.Timedout"),
        (handler("x = bytearray(400_000_000); return len(x)"), "Runtime.ExitError"),
    ],
)
def test_a_failure_has_lambdas_own_type(make: Make, source: str, kind: str) -> None:
    seconds = 1 if kind == "Sandbox.Timedout" else 20

    assert error(make(source, timeout=seconds).invoke(b"{}", "r1"))["errorType"] == kind


def test_an_exception_carries_its_stack_trace_to_the_caller_and_into_the_log(make: Make) -> None:
    outcome = make(handler("raise ValueError('no')")).invoke(b"{}", "r1")

    assert error(outcome)["errorMessage"] == "no"
    assert "in handler" in error(outcome)["stackTrace"][0]
    assert any("[ERROR] ValueError: no" in line for line in outcome.log)


def test_what_was_printed_before_the_answer_is_in_the_log_between_start_and_report(
    make: Make,
) -> None:
    outcome = make("print('loading')\n" + handler("print('working'); return event")).invoke(
        b'{"a": 1}', "r1"
    )

    assert [line.split("\t")[0] for line in outcome.log] == [
        "START RequestId: r1 Version: $LATEST",
        "loading",
        "working",
        "END RequestId: r1",
        "REPORT RequestId: r1",
    ]
    assert "Init Duration" in outcome.log[-1]


def test_the_second_invocation_is_warm_and_keeps_what_the_first_left_in_memory(make: Make) -> None:
    environment = make("count = []\n" + handler("count.append(1); return len(count)"))

    outcomes = [environment.invoke(b"{}", f"r{n}") for n in range(2)]

    assert [value(outcome) for outcome in outcomes] == [1, 2]
    assert "Init Duration" not in outcomes[1].log[-1]


def test_after_running_out_of_time_the_next_invocation_starts_anew(make: Make) -> None:
    environment = make("import time\n" + handler("time.sleep(event); return 'awake'"), timeout=1)

    late = environment.invoke(b"30", "r1")
    assert error(late)["errorMessage"] == "RequestId: r1 Error: Task timed out after 1.00 seconds"
    assert any(line.endswith("r1 Task timed out after 1.00 seconds") for line in late.log)
    assert value(environment.invoke(b"0", "r2")) == "awake"


def test_the_handlers_context_is_the_functions(make: Make) -> None:
    source = handler(
        "return [context.aws_request_id, context.function_name, context.memory_limit_in_mb, "
        "context.log_group_name]"
    )

    assert value(make(source, memory=300).invoke(b"{}", "r1")) == [
        "r1",
        "toy",
        "300",
        "/aws/lambda/toy",
    ]
