"""What became of work on the grants is told at the command line, and published as what the function does is."""

from botocore.exceptions import ClientError

from grantor.aws.errors import NotYet, code, message
from grantor.cli import sentences
from grantor.cli.call import Call
from grantor.cli.show import aside
from grantor.report import Report
from grantor.telling import publish


def told(call: Call, report: Report) -> None:
    """Print the sentences of the report, and publish it. It is not undone by its report: what can't be published is said."""
    call.show.lines(sentences.lines(vars(report)))
    try:
        publish(call.world, report)
    except ClientError as error:
        aside(f"grantor {call.asked.verb}: it is done, but was not told of everywhere: {code(error)}: {message(error)}")
    except NotYet as reason:
        aside(f"grantor {call.asked.verb}: it is done, but was not told of everywhere: {reason}")
