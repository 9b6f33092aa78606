"""The entry point of the command line: parse arguments, run a command, return its exit code."""

import os
import shutil
import sys
import textwrap
from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any, NoReturn

from grantor.cli.commands import COMMANDS, Command, find_command
from grantor.cli.output import Output, print_error, print_traceback
from grantor.cli.session import INTERRUPTED, CommandError, Session, exit_on_interrupt
from grantor.core.diagnostics import show_text

PROSE_COLUMNS = 80  # widest line of a description
DESCRIPTION = "Keep Amazon S3 Access Grants in line with policy files that live in S3."
EPILOG = """\
The stack is --stack, else GRANTOR_STACK, else stack_name in the samconfig.toml of the current \
folder, else "grantor". Credentials and Region come from your AWS configuration (AWS_PROFILE, \
AWS_REGION).

Exits with 0 on success, 1 if something is wrong, 2 for invalid usage, 3 for unexpected changes \
(plan --expect-no-changes), for a no (can) and for a difference (compare), 4 without a grant \
(credentials), 5 if tests cover too little (test), 6 for new access (compare --no-new-access) and \
130 after Ctrl-C."""


def main(words: Sequence[str] | None = None, aws_session: Any = None) -> int:
    """Run the command that `words` name and return the exit code.

    `words` defaults to the arguments of the process, `aws_session` to the environment's.
    Raises SystemExit for help and for invalid usage.
    """
    sys.excepthook = print_traceback
    arguments = build_parser().parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        # The name of a file need not be valid text.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    command = find_command(arguments.command)
    try:
        return run_command(
            command, Session(arguments, Output.for_stdout(as_json=arguments.json), aws_session)
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except CommandError as error:
        print_error(f"grantor {command.name}: {error}")
        return error.exit_code
    except Exception as error:
        from grantor.cli.errors import explain_error

        explanation = explain_error(error, command)
        if explanation is None:
            raise
        print_error(f"grantor {command.name}: {explanation}")
        return 1


def run_command(command: Command, session: Session) -> int:
    """Import the command's module and run its function."""
    module, _, function = command.function.partition(".")
    run = getattr(import_module(f"grantor.cli.{module}"), function)
    with nullcontext() if command.finishes_changes else exit_on_interrupt():
        return int(run(session))


def build_parser() -> ArgumentParser:
    """Build the parser of all commands from the registry."""
    parser = CommandParser(
        "grantor",
        description=wrap_paragraphs(DESCRIPTION),
        epilog=wrap_paragraphs(EPILOG),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        add_command(commands, command)
    return parser


def add_command(commands: Any, command: Command) -> None:
    parser = commands.add_parser(
        command.name,
        help=command.summary,
        description=wrap_paragraphs(command.description),
        formatter_class=RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    if command.uses_stack:
        parser.add_argument(
            "--stack", metavar="NAME", help="name of the stack that Grantor is deployed as"
        )
    if command.offers_json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    else:
        parser.set_defaults(json=False)


def wrap_paragraphs(text: str) -> str:
    """Wrap each paragraph to the width of the terminal, at most PROSE_COLUMNS."""
    columns = min(PROSE_COLUMNS, shutil.get_terminal_size().columns) - 2
    return "\n\n".join(textwrap.fill(paragraph, columns) for paragraph in text.split("\n\n"))


class CommandParser(ArgumentParser):
    """A parser that quotes wrong arguments as every other line is printed."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message; exit with 2."""
        super().error(show_text(message))


class ShowVersion(Action):
    """`--version`: print the version of the installed package."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        from importlib import metadata  # takes longer to import than the parser to build

        try:
            Output().print_line(f"grantor {metadata.version('grantor')}")
        except metadata.PackageNotFoundError:
            Output().print_line("grantor, run from its sources and not installed")
        parser.exit()
