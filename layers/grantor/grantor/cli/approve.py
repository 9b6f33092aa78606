"""grantor approve: the next run carries out a plan that the guard has refused, if it is still exactly that."""

import sys
from datetime import UTC, datetime

from grantor.aws.records import APPROVAL
from grantor.cli.call import Call
from grantor.cli.sentences import count, time
from grantor.cli.trouble import Misused, Trouble
from grantor.core.focus import EVERYTHING
from grantor.world import World


def run(call: Call) -> int:
    """0 when it is approved; 1 if there is no such plan, or nobody has agreed."""
    world, plan = call.world, call.asked.hash
    text = world.records.refused(plan)
    if text is None:
        raise Trouble(f"no refused plan has the hash {plan}: {_known(world)}")
    call.show.lines(text.split("\n"))
    if not (call.asked.yes or _agreed(f"approve this plan as {call.caller.arn}? [y/N] ")):
        raise Trouble("nothing was approved")
    now = datetime.fromtimestamp(world.clock(), UTC)
    world.records.approve(plan, call.caller.arn, now)
    world.queue.ring([EVERYTHING])
    hours = int(APPROVAL.total_seconds() // 3600)
    call.show.line(
        f"approved: plan {plan} by {call.caller.arn}; a run has been rung for, and for {hours} hours any run carries it out"
    )
    call.show.value({"plan": plan, "by": call.caller.arn, "at": now.isoformat(timespec="seconds")})
    return 0


def _known(world: World) -> str:
    plans = world.records.all_refused()
    known = ", ".join(f"{plan.hash} ({count(plan.text.count('\n') + 1, 'change')}, {time(plan.at)})" for plan in plans)
    return f"those that are known are {known}" if known else "none has been refused within the last 30 days"


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise Misused("there is nobody to ask: say --yes")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
