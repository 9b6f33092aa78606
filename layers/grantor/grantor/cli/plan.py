"""grantor plan: what a run would do now. Reads only: no lease, no write."""

from pathlib import Path

from grantor.cli.call import Call
from grantor.cli.local_files import LocalFiles
from grantor.cli.markdown import markdown
from grantor.cli.outlook import Outlook, everything
from grantor.cli.show import Progress
from grantor.cli.trouble import Misused

CHANGES = 3  # what the command line ends with when changes were not expected


def run(call: Call) -> int:
    """0; 1 if a policy file is wrong or something could not be read; 3 if there are changes and none were expected."""
    outlook = _outlook(call)
    if call.asked.markdown and not call.asked.json:
        call.show.line(markdown(outlook))
    else:
        call.show.lines(outlook.lines())
    call.show.value(outlook.value())
    if outlook.wrong:
        return 1
    return CHANGES if call.asked.expect_no_changes and not outlook.plan.empty else 0


def _outlook(call: Call) -> Outlook:
    world = call.world
    if call.asked.policy is not None:
        world.files = LocalFiles(call.clients.s3, world.names.policy_bucket, _folder(call.asked.policy))
    with Progress("reading policy files, profiles and grants"):
        return Outlook.of(world, everything(world), merged=call.asked.policy is None)


def _folder(given: str) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise Misused(f"--policy {given}: there is no such folder; name the one whose files go to the bucket's policy/")
    return folder
