"""The command line's front door: words in, a verb done, a code out. Errors for people are one sentence, never a traceback."""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from grantor.cli import interrupt
from grantor.cli.arguments import parser
from grantor.cli.call import Call
from grantor.cli.show import Show, aside
from grantor.cli.trouble import Trouble

CHANGING = {"apply", "approve", "adopt", "rebuild", "redrive"}


def main(words: Sequence[str] | None = None, session: Any = None) -> int:
    """Do what the words say, those of the process unless told, and return the code to end with.

    `session` is boto3's, that of the environment unless told. Raises SystemExit for help, and for words that make no sense.
    """
    asked = parser().parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")  # a file's name may be no text
    # A module a verb: `grantor check` in an editor need not wait until boto3 is read from disk.
    verb = import_module(f"grantor.cli.{asked.verb}")
    try:
        with nullcontext() if asked.verb in CHANGING else interrupt.at_once():
            return int(verb.run(Call(asked, Show.on_this(as_json=asked.json), session)))
    except KeyboardInterrupt:
        return interrupt.CODE
    except BrokenPipeError:  # whoever read the answer has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Trouble as wrong:
        aside(f"grantor {asked.verb}: {wrong}")
        return wrong.code
    except Exception as error:
        from grantor.cli.aws_errors import told

        said = told(error, asked.verb)
        if said is None:
            raise
        aside(f"grantor {asked.verb}: {said}")
        return 1
