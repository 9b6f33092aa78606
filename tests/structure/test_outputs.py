"""Whatever reaches a terminal, a log, a mail or the event bus goes through a function that shows it.

The places that make sentences do not escape anything; so there must be no other way out.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.structure.layer import LAYER

SOURCES = [
    path
    for folder in (LAYER, ROOT / "functions", ROOT / "spark_jobs")
    for path in sorted(folder.rglob("*.py"))
    if "job_code" not in path.parts
]
OUTPUTS = {
    LAYER / "cli/output.py",
    LAYER / "aws/notifications.py",
    ROOT / "spark_jobs/framework/formatting.py",
}
SHOWING = {"show_text", "dump_json", "format_subject"}
PRINTING = {"print", "pprint", "input", "breakpoint", "displayhook", "excepthook"}
PRINTING_MODULES = {"logging", "warnings", "pprint", "syslog", "curses", "readline"}
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
STREAM_USES = {"isatty", "reconfigure"}  # that write nothing
LOGGER_ARGUMENT = ("json_serializer", "dump_log")
SENDING = {"publish", "publish_batch", "put_events"}  # of SNS and EventBridge
SENT = {"Subject", "Message", "PublishBatchRequestEntries", "Entries"}  # their texts


def find_ways_out(source: str) -> Iterator[str]:
    """Each way of a module to write text that no function has shown."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _judge_import(node)
        elif isinstance(node, ast.Call):
            yield from _judge_call(node, source)
        elif isinstance(node, ast.Attribute):
            of_sys = isinstance(node.value, ast.Name) and node.value.id == "sys"
            if of_sys and node.attr in STREAMS and not _is_harmless(node, parents):
                yield f"{node.lineno}: sys.{node.attr}"


def _judge_import(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    module = getattr(node, "module", None)
    names = {one.name for one in node.names}
    if module in PRINTING_MODULES or (module is None and names & PRINTING_MODULES):
        yield f"{node.lineno}: {ast.unparse(node)}"
    if module == "sys" and names & STREAMS:
        yield f"{node.lineno}: {ast.unparse(node)}"


def _judge_call(node: ast.Call, source: str) -> Iterator[str]:
    called = ast.unparse(node.func)
    last = called.rpartition(".")[2]
    sends = last in SENDING and any(word.arg in SENT for word in node.keywords)
    if called in PRINTING or called.startswith("traceback.print") or sends:
        yield f"{node.lineno}: {called}()"
    if called == "os.write" and not _is_constant(node.args[1]):
        yield f"{node.lineno}: {called}()"
    if called == "ArgumentParser" and "CommandParser" in source:
        yield f"{node.lineno}: {called}() instead of CommandParser()"
    if called == "Logger":
        arguments = {(word.arg, ast.unparse(word.value)) for word in node.keywords}
        if LOGGER_ARGUMENT not in arguments:
            yield f"{node.lineno}: {called}() without json_serializer=dump_log"


def _is_constant(node: ast.expr) -> bool:
    """Whether the expression is made of constants alone, by their names in capitals."""
    names = [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and one.id != "os"]
    return all(name.isupper() for name in names)


def _is_harmless(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether the stream is only asked about, or handed to print_line."""
    parent = parents[node]
    match parent:
        case ast.Attribute(attr=name):
            return name in STREAM_USES
        case ast.Call(func=ast.Name("print_line")):
            return True
        case ast.Tuple():  # for stream in (sys.stdout, sys.stderr): … reconfigure
            loop = parents[parent]
            return isinstance(loop, ast.For) and "reconfigure" in ast.unparse(loop)
    return False


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path not in OUTPUTS],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_module_writes_only_through_the_outputs(path: Path):
    assert list(find_ways_out(path.read_text())) == []


def test_the_outputs_write_only_what_was_shown():
    unshown = [
        f"{path.name}:{text.lineno}: {ast.unparse(text)}"
        for path in sorted(OUTPUTS)
        for text in find_unshown(ast.parse(path.read_text()))
    ]

    assert unshown == []


def find_unshown(tree: ast.Module) -> Iterator[ast.expr]:
    """Each text that is written although no function has shown it.

    A text is shown if its expression calls such a function, or names what was assigned from one.
    """
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            # _write is handed what its callers have shown.
            given = {one.arg for one in function.args.args if function.name == "_write"}
            shown = SHOWING | {"ERASE_LINE"} | given
            for one in ast.walk(function):
                if isinstance(one, ast.Assign | ast.AnnAssign) and one.value:
                    targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                    shown |= _names(*targets) if _names(one.value) & shown else set()
            for call in ast.walk(function):
                texts = _list_texts(call) if isinstance(call, ast.Call) else []
                yield from (text for text in texts if _names(text) and not _names(text) & shown)


def _list_texts(call: ast.Call) -> list[ast.expr]:
    """The texts that a call writes or sends."""
    match call.func:
        case ast.Name("print" | "_write") | ast.Attribute(attr="write"):
            return call.args[:1]
        case ast.Attribute(attr="publish" | "put_events"):
            return [word.value for word in call.keywords if word.arg in SENT]
    return []


def _names(*nodes: ast.AST) -> set[str]:
    return {one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)}


WAYS_OUT = {
    "a print": "print(name)",
    "a stream's own write": "import sys\nsys.stdout.write(name)",
    "a stream under another name": "import sys\nout = sys.stderr",
    "a stream's bytes": "import sys\nsys.stdout.buffer.write(name)",
    "an imported stream": "from sys import stdout",
    "a file descriptor": "import os\nos.write(2, name.encode())",
    "the log of Python": "import logging",
    "a warning": "from warnings import warn",
    "a traceback": "import traceback\ntraceback.print_exc()",
    "a logger of Powertools as it comes": 'logger = Logger(service="x")',
    "a mail": "sns.publish(Message=name)",
    "an event": "events.put_events(Entries=[name])",
    "a question": "input(name)",
}


@pytest.mark.parametrize("source", WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_a_way_around_the_outputs_is_found(source: str):
    assert list(find_ways_out(source))


@pytest.mark.parametrize(
    "source",
    [
        "def f(name): _write(name, sys.stdout)",
        "def f(name):\n    text = f'{name}'\n    stream.write(text)",
        "def f(self, name): self._sns.publish(TopicArn=topic, Message=name)",
    ],
)
def test_an_output_that_shows_nothing_is_found(source: str):
    assert list(find_unshown(ast.parse(source)))
