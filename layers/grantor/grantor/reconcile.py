"""One run: gather what is wanted and what is, decide on a plan, apply it change by change, and report.

Whatever can't be read stops the run before it changes anything: unreadable is never empty. Whatever can't be changed
is reported with its reason and left to a later run; it never stops the other changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from botocore.exceptions import ClientError

from grantor.aws.errors import NotYet, code, message
from grantor.aws.policy_files import TooLarge
from grantor.aws.studio import NoDomain
from grantor.core.desire import Wanted, desired
from grantor.core.grant import Grant
from grantor.core.location import Location
from grantor.core.plan_of_skeleton import Plan, plan, unwanted
from grantor.core.policy import Policy, Profiles, parse
from grantor.world import World


@dataclass
class Report:
    """What a run did, did not do, and why; every text is a sentence for a person."""

    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # a person must act: the input is wrong, or AWS says never
    later: list[str] = field(default_factory=list)  # the next ring tries again
    foreign: list[str] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether nothing is left that ringing again would mend."""
        return not self.later


@dataclass(frozen=True)
class Gathered:
    """Both sides, read in whole."""

    wanted: Wanted
    actual: frozenset[Grant]
    locations: tuple[Location, ...]


class Refused(ValueError):
    """The input is wrong, so nothing was changed; `reasons` are the sentences for its owner."""

    def __init__(self, *reasons: object) -> None:
        super().__init__("\n".join(map(str, reasons)))
        self.reasons = [str(reason) for reason in reasons]


def reconcile(world: World) -> Report:
    """Bring the grants in line with the policy files. Running it again at once changes nothing.

    Raises what AWS raises when the world can't be read; the bell then rings again.
    """
    try:
        gathered = gather(world)
    except Refused as refused:
        return Report(refused=refused.reasons)
    return apply(world, gathered, decide(world, gathered))


def gather(world: World) -> Gathered:
    """Everything that the decision needs; Refused when a policy file or what it names is wrong."""
    policies = _policies(world)
    domains = {rule.to.domain for policy in policies for rule in policy.rules if isinstance(rule.to, Profiles)}
    try:
        profiles = world.studio.profiles(domains)
    except NoDomain as missing:
        raise Refused(missing) from missing
    locations = world.grants.locations()
    wanted, problems = desired(policies, profiles, world.data_bucket, locations)
    if problems:
        raise Refused(*problems)
    return Gathered(wanted, world.grants.grants(), locations)


def decide(world: World, gathered: Gathered) -> Plan:
    """The plan. Only of the few grants that nobody wants is it asked whose they are."""
    spare = sorted(unwanted(gathered.wanted, gathered.actual))
    return plan(gathered.wanted, gathered.actual, world.grants.ours(spare))


def apply(world: World, gathered: Gathered, changes: Plan) -> Report:
    """Every change of the plan, creates first; each failure is reported with its reason and stops no other."""
    report = Report(foreign=[f"foreign: {grant}" for grant in changes.foreign])
    # A right that only moves must not be taken before its other half stands; nobody else waits for that.
    stuck = {
        grant.grantee for grant in changes.create if not _attempt(report, f"+ {grant}", partial(_create, world, gathered, grant))
    }
    for grant in changes.delete:
        if grant.grantee in stuck:
            report.later.append(f"- {grant}: waits until what is to be created for {grant.grantee} stands")
        else:
            _attempt(report, f"- {grant}", partial(world.grants.delete, grant))
    return report


def _create(world: World, gathered: Gathered, grant: Grant) -> None:
    world.grants.create(grant, gathered.locations, gathered.wanted[grant])


def _attempt(report: Report, sentence: str, change: Callable[[], object]) -> bool:
    try:
        change()
    except NotYet as reason:
        report.later.append(f"{sentence}: {reason}")
    except ClientError as error:
        report.refused.append(f"{sentence}: {code(error)}: {message(error)}")
    else:
        report.done.append(sentence)
        return True
    return False


def _policies(world: World) -> list[Policy]:
    """All policy files; one that is wrong stops the run, so that a slip of the pen never takes anyone's access."""
    try:
        texts = world.policies.texts()
    except TooLarge as large:
        raise Refused(large) from large
    if not texts:
        where = f"s3://{world.policy_bucket}/policy/"
        raise Refused(f"{where}: no policy file: an empty policy would take everybody's access; put a .yaml file there")
    return _parsed(texts)


def _parsed(texts: Mapping[str, bytes]) -> list[Policy]:
    results = [_parse(file, body) for file, body in sorted(texts.items())]
    problems = [problem for result in results if isinstance(result, tuple) for problem in result]
    if problems:
        raise Refused(*problems)
    return [result for result in results if isinstance(result, Policy)]


def _parse(file: str, body: bytes) -> Policy | tuple[object, ...]:
    try:
        return parse(file, body.decode())
    except UnicodeDecodeError as wrong:
        line = body.count(b"\n", 0, wrong.start) + 1
        return (f"{file}:{line}:1: not UTF-8: byte {wrong.start} is no text; save the file as UTF-8",)
