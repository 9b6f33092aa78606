"""The registry of commands: name, help, arguments, permissions and function of each.

To add a command, add an entry here and write the function in a module of this folder. This module
imports little of Grantor: `grantor --help`, `grantor check` and completion do not wait for boto3.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from grantor.cli.arguments import (
    add_adopt_arguments,
    add_apply_arguments,
    add_approve_arguments,
    add_check_arguments,
    add_completion_arguments,
    add_credentials_arguments,
    add_doctor_arguments,
    add_end_sessions_arguments,
    add_history_arguments,
    add_jobs_arguments,
    add_leftovers_arguments,
    add_plan_arguments,
    add_rebuild_arguments,
    add_redrive_arguments,
    add_reject_arguments,
    add_suspend_arguments,
    add_test_arguments,
)
from grantor.cli.question_arguments import (
    add_can_arguments,
    add_changes_arguments,
    add_compare_arguments,
    add_reach_arguments,
    add_report_arguments,
    add_review_arguments,
    add_who_arguments,
)

READER = ("Reader",)
EMERGENCY = ("Reader", "BreakGlass")


def add_no_arguments(_: ArgumentParser) -> None:
    """Take nothing but the options that all commands share."""


@dataclass(frozen=True)
class Command:
    """One command. `function` is "module.function" in this folder, imported when it runs."""

    name: str
    function: str
    summary: str  # one line without a full stop, for the list of commands
    details: str
    add_arguments: Callable[[ArgumentParser], None] = add_no_arguments
    policies: tuple[str, ...] = ()  # the stack's managed policies that the caller needs
    denied_by: tuple[str, ...] = ()  # the stack's managed policies that deny it
    uses_stack: bool = True
    finishes_changes: bool = False  # whether Ctrl-C lets changes that are in progress finish
    offers_json: bool = True

    @property
    def description(self) -> str:
        """The text above the arguments in the command's own help."""
        needs = [f"Needs {name_policies(self.policies)}."] if self.policies else []
        return "\n\n".join([f"{self.summary[:1].upper()}{self.summary[1:]}.", self.details, *needs])


def name_policies(policies: tuple[str, ...]) -> str:
    """Name managed policies of the stack in a sentence.

    >>> name_policies(("Reader", "BreakGlass"))
    "the stack's managed policies Reader and BreakGlass"
    """
    noun = "policy" if len(policies) == 1 else "policies"
    return f"the stack's managed {noun} {' and '.join(policies)}"


def find_command(name: str) -> Command:
    """Return the command with this name. Raises StopIteration if there is none."""
    return next(command for command in COMMANDS if command.name == name)


# A command that does what the reconciler may do, for a person.
emergency_command = partial(
    Command, policies=EMERGENCY, denied_by=("Steward",), finishes_changes=True
)


def list_names() -> Iterator[str]:
    """List the names of all commands, in the order of the help."""
    return (command.name for command in COMMANDS)


COMMANDS = (
    Command(
        name="check",
        function="check.run_check",
        summary="check policy files without AWS",
        details="Prints one line for each mistake: file:line:column: what: why; what to write "
        "instead. Warnings do not change the exit code.",
        add_arguments=add_check_arguments,
        uses_stack=False,
    ),
    Command(
        name="test",
        function="policy_tests.run_policy_tests",
        summary="run the tests of policy files without AWS",
        details="Tests are below tests: in a policy file, which they then keep from coming into "
        "force if they fail, and in files NAME.test.yaml, which ask about all the files. Exits "
        "with 1 if a test fails or a file is wrong, and with 5 if they cover less of the rules "
        "than --threshold.",
        add_arguments=add_test_arguments,
        uses_stack=False,
    ),
    Command(
        name="doctor",
        function="doctor.run_doctor",
        summary="find what would go wrong, before a deployment and after it",
        details="Only reads. Says of each thing whether it is ok, what it means if not, and what "
        "to do. Exits with 1 for a failure, and if something could not be read.",
        add_arguments=add_doctor_arguments,
        policies=("Reader", "Doctor"),
    ),
    Command(
        name="plan",
        function="plan.run_plan",
        summary="show what a run would change, without changing anything",
        details="Exits with 1 if a policy file is wrong or something could not be read.",
        add_arguments=add_plan_arguments,
        policies=READER,
    ),
    emergency_command(
        name="apply",
        function="apply.run_apply",
        summary="run now, over everything, as the function does",
        details="Uses the same lease, ledger and guard as the function. If another run is in "
        "progress, that run also covers this one.",
        add_arguments=add_apply_arguments,
    ),
    Command(
        name="approve",
        function="approve.run_approve",
        summary="approve a plan that requires an approval",
        details="Shows everything that the plan changes, and approves exactly this, once. Who "
        "wrote a policy file that the plan brings into force may not approve it. The managed "
        "policy Approver denies writing policy files.",
        add_arguments=add_approve_arguments,
        policies=("Approver",),
        denied_by=("Steward", "BreakGlass"),
        finishes_changes=True,
    ),
    Command(
        name="reject",
        function="approve.run_reject",
        summary="reject a plan that requires an approval",
        details="Nobody is asked about the plan again as long as it stays the same; status and "
        "plan say who has rejected it, and why.",
        add_arguments=add_reject_arguments,
        policies=("Approver",),
        denied_by=("Steward", "BreakGlass"),
        finishes_changes=True,
    ),
    Command(
        name="status",
        function="status.run_status",
        summary="show triggers, queues, alarms, the last sweep, grants, waiting plans",
        details="Shows whether the stack is at work, what past runs have recorded, and the policy "
        "files as they are now. Exits with 1 if a line begins with attention.",
        policies=READER,
    ),
    Command(
        name="can",
        function="questions.run_can",
        summary="say whether somebody can do something in S3, and why or why not",
        details="Answers as S3 Access Grants would, by the grants that exist, and explains the "
        "answer by rules. For a no it proposes the smallest rule that would change it. Exits with "
        "3 for a no.",
        add_arguments=add_can_arguments,
        policies=READER,
    ),
    Command(
        name="who",
        function="questions.run_who",
        summary="list who reaches an object or a prefix, and why",
        details="First those who reach all of a prefix, then those who reach a part of it.",
        add_arguments=add_who_arguments,
        policies=READER,
    ),
    Command(
        name="reach",
        function="reach.run_reach",
        summary="list what somebody reaches, and why; without a name, what you reach",
        details="Lists every grant of the role or user that they are, whoever made it. Without WHO "
        "it asks S3 Access Grants as yourself and needs no stack and no permission of Grantor: "
        "s3:ListCallerAccessGrants is enough. Then --policy names the files that say whom to ask.",
        add_arguments=add_reach_arguments,
        policies=READER,
    ),
    Command(
        name="inventory",
        function="inventory.run_inventory",
        summary="save what questions are answered from, for --profiles",
        details="Prints one document: policy files, profiles, folders and grants, as far as you "
        "may read them. With it, can, who, reach, compare and test answer without AWS.",
        policies=READER,
        offers_json=False,
    ),
    Command(
        name="compare",
        function="compare.run_compare",
        summary="say who gains and who loses between two sets of policy files",
        details="The first word is the verdict: equivalent, narrower, wider or different. Each "
        "direction comes with a counterexample: who may do what with one side only. Exits with 3 "
        "unless both sides give the same, and with 1 if a rule on hold leaves it undecided.",
        add_arguments=add_compare_arguments,
        policies=READER,
    ),
    Command(
        name="report",
        function="report.run_report",
        summary="write pages to review: who reaches what, why, since and until when",
        details="One page of everything and one for each owner. They need no network and no "
        "script, and print well. Each ends with the command that signs what it shows.",
        add_arguments=add_report_arguments,
        policies=READER,
    ),
    Command(
        name="review",
        function="review.run_review",
        summary="list the rules that nobody has reviewed lately, or sign a review",
        details="sign records who has reviewed what, as of when and why, and refuses if anything "
        "has changed since the report was made. A rule with review: 90d ends when nobody has "
        "signed for so long. list needs only the managed policy Reader, and exits with 3 if it "
        "names rules.",
        add_arguments=add_review_arguments,
        policies=("Reader", "Approver"),
        denied_by=("Steward",),
        finishes_changes=True,
    ),
    Command(
        name="history",
        function="history.run_history",
        summary="list past runs, or show one run in full",
        details="Runs that changed nothing and had nothing to report are not kept. Runs in a row "
        "that say the same are one line.",
        add_arguments=add_history_arguments,
        policies=READER,
    ),
    Command(
        name="changes",
        function="changes.run_changes",
        summary="list what has happened to grants, the newest first",
        details="Reads the history of grants, which goes back further than history: who got what, "
        "when, because of which version of which policy file and who has written that, and when "
        "and why it was taken away.",
        add_arguments=add_changes_arguments,
        policies=READER,
    ),
    Command(
        name="jobs",
        function="jobs.run_jobs",
        summary="list waiting uploads and jobs, or show one run of a job in full",
        details="Lists uploads that wait, jobs that run, and the runs of the last 90 days. The "
        "last run of each input is kept however old it is.",
        add_arguments=add_jobs_arguments,
        policies=READER,
    ),
    Command(
        name="suspend",
        function="access.run_suspend",
        summary="suspend a profile, role or user: nothing gives them anything any more",
        details="Writes a policy file of its own below policy/suspensions/, which outranks every "
        "rule of every file. The grants go in the run that this triggers, without asking; more "
        "than five people within a day need an approval.",
        add_arguments=add_suspend_arguments,
        policies=("Reader", "Steward"),
        denied_by=("BreakGlass",),
    ),
    emergency_command(
        name="end-sessions",
        function="access.run_end_sessions",
        summary="end all credentials that S3 Access Grants has vended so far",
        details="A deleted grant does not end credentials that were vended for it, which live up "
        "to 12 hours. This denies everything to sessions of the location's role that were issued "
        "before now. Whoever has a grant gets new credentials.",
        add_arguments=add_end_sessions_arguments,
    ),
    emergency_command(
        name="leftovers",
        function="access.run_leftovers",
        summary="list grants that additive files have left behind, or delete them",
        details="A file with mode: additive keeps a grant when its rule is gone. Listing them "
        "needs only the managed policy Reader.",
        add_arguments=add_leftovers_arguments,
    ),
    emergency_command(
        name="adopt",
        function="recovery.run_adopt",
        summary="adopt unmanaged grants, without creating or deleting any",
        details="Adopted grants are tagged and recorded in the ledger. Without arguments, lists "
        "the grants that can be adopted; the managed policy Reader is enough for that.",
        add_arguments=add_adopt_arguments,
    ),
    emergency_command(
        name="rebuild",
        function="recovery.run_rebuild",
        summary="rebuild a lost ledger from the tags of the grants",
        details="Makes one call for each grant. Creates and deletes no grants; the next run "
        "corrects what the tags do not record.",
        add_arguments=add_rebuild_arguments,
    ),
    Command(
        name="redrive",
        function="recovery.run_redrive",
        summary="re-send the messages in the dead-letter queues",
        details="No message is lost and nothing is done twice, because an event only says where "
        "to look. A message that is not an event is reported and stays in its queue.",
        add_arguments=add_redrive_arguments,
        policies=EMERGENCY,
        finishes_changes=True,
    ),
    Command(
        name="credentials",
        function="credentials.run_credentials",
        summary="get credentials for your data, in the form that your tool reads",
        details="Asks S3 Access Grants as yourself, needs no stack and no permission of Grantor: "
        "s3:GetDataAccess is enough. Exits with 4 if no grant of yours covers what you ask for; "
        "the message says which grants you have, and whom to ask.",
        add_arguments=add_credentials_arguments,
        uses_stack=False,
        offers_json=False,
    ),
    Command(
        name="completion",
        function="completion.run_completion",
        summary="print a script that completes grantor's commands in a shell",
        details='Bash: eval "$(grantor completion bash)" in ~/.bashrc. Zsh: the same with zsh, '
        "in ~/.zshrc. Fish: grantor completion fish > ~/.config/fish/completions/grantor.fish.",
        add_arguments=add_completion_arguments,
        uses_stack=False,
        offers_json=False,
    ),
)
