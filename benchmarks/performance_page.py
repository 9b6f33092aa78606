"""docs/performance.md: the tables of one run of all benchmarks, and what they mean."""

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.figures import Figure, format_figures

PAGE = Path(__file__).parent.parent / "docs/performance.md"
HEAD = """\
# Performance

<!-- written by: make bench -->

All figures are from one run of `make bench` on {day}: {minutes} minutes on {cores} cores
({processor}), Python {python}. The [sandbox](sandbox.md) and all its clients run on the same
machine, so compare times only within one table. What carries over to AWS are the counts, and the
ratios to what was measured beside. `≤` marks a bound: `make bench` exits with 1 if one does not
hold. The same figures are in `build/bench/*.json`.
"""
SPARK_HEAD = """\
<!-- written by: make bench-spark -->

## {title}

From a run of its own, on {day}, on {cores} cores ({processor}).
{text}
"""

CALLS = """
Counted in the sandbox, call by call. Every profile has a hundred grants, from a hundred rules in
ten files. *Grantor* is the number of its calls to Access Grants. *Fewest* is the number that no
tool can do without: one page for each 1,000 grants, or one list for an event, and one call for
each change. *At most* is the bound: three calls beyond the pages and changes of a sweep, three
beyond the changes of an event. *Terraform* reads each grant and then its tags, 2N calls, before it
changes anything. An event costs the same, however many grants exist. A sweep also makes one call to
IAM for each 1,000 roles of the account: the list has the unique id of each role, so none is read
singly. An event makes none.

One scan reads the ledger, in pages of a megabyte with about 4,000 items each. Its items are the
grants, with the reasons for them. *Cold* is a process that has never seen the profiles and
describes each one; a warm one describes only those that have changed.
"""
SWEEP = """
A sweep without changes by the built function, in its own process with its own memory limit, beside
a script that reads the same pages of grants and ledger one after another and does nothing with
them. Both run five times in turn, and the figures are medians. *Core busy* is how long the function
keeps one core busy. Lambda gives a function of 512 MB about 0.29 of a core (one core at 1,769 MB),
so a sweep of 100,000 grants, AWS's quota for an instance, takes about {seconds} of its 120 seconds
there. With so many grants, give the function more memory, and with it more of a core.
"""
PLANNER = """
Each task runs in a process of its own, on one core; the figure is the best of three. The plans
compare 100,000 wanted grants with 100,000 existing ones, from values to the ordered plan. The
files are read from their bytes to the grants that they want; two sets of files are compared from
their bytes to the verdict of `grantor compare`.
"""
QUESTIONS = """
Who reaches an object or a folder, and what a role reaches, among 100,000 grants of 1,000 roles. *In
process* is the index that every command asks, beside a look at each grant; the best of three, on
one core. The commands answer offline, with an inventory of 100,000 grants and 1,000 policy files
that `grantor inventory` has saved: CPU time from the start of Python to the printed answer, beside
a program that only parses the same JSON.
"""
COLD_START = """
The built `ReconcileGrants` and a function that only makes a boto3 client for S3 Control before its
handler, as `sam build` leaves them, in turn. Init is the time from the start of the process to the
runtime's first `/next`. The first invocation is shown too, so that no cost is hidden by moving it
there: ours answers an event with nothing to change, which takes clients for four services and a
dozen calls; the other lists one grant.
"""
EVENT_TO_GRANT = """
Through the deployed stack: a policy file is put, its event passes EventBridge and SQS, and the
function creates the grant. Beside it is the same path to a function that does nothing. In between
are five calls in sequence. The first takes the lease; beside it, who wrote the file is recorded.
Then the list of the files, and the file. Beside these two, a warm function reads the accepted
versions, the ledger (with what the guard needs), the grants, the locations, the Studio domains with
their profiles, and the account's roles. One transaction records what is accepted, what is to be
deleted and what is to be created. The last call creates the grant. Nobody looks for the effect in
the first quarter of a second: each look keeps the sandbox's one server from its work.
"""
EVENT_BURST = """
Half of the uploads go below a prefix that a rule follows. Batches have ten messages and no
batching window: AWS requires a window of at least one second for more than ten messages, and that
second would delay every single event of a quiet day. If another run holds the lease, the
invocation adds its focus to the lease item and returns; the holder drains the item before it
releases the lease. It starts the next run a quarter of a second after the start of the last one,
then half a second, up to four seconds. Of four functions at once (`MaximumConcurrency`), one runs
and three collect.
"""
SPARK = """
Abalone: the article's pipeline (three stages of Spark ML, a random split, lines written by Python
from an RDD); the job as it ships and is configured, with validation, quarantine, a stable split and
all counts of the drift report; *earlier*, its engine of commit f58a12b, before contracts were data;
and polars, which needs no cluster (and has no reasons, quarantine or counts). The rows are UCI's,
and drawn from them with each measure moved by up to 5 %. Churn: synthetic customers in quoted CSV,
with dates, categories and missing values, by a pipeline in the article's style, by the job, and by
pandas and polars, which check less. All run in turn on the same files. Spark 3.5.9 has two cores
and 3 GB of heap. Each run is a process of its own, timed from its start to its end: shortest,
median and longest. CPU is that of all its processes, JVM and Python; peak is the largest sum of
their memory.
"""


@dataclass(frozen=True)
class BenchmarkSection:
    """One benchmark: the name of its JSON file, its title, the text before its table, the table."""

    name: str
    title: str
    text: str
    figures: list[Figure] = field(repr=False)
    table: str = ""

    def __str__(self) -> str:
        return self.table or format_figures(self.figures)


def write_page(sections: list[BenchmarkSection], seconds: float) -> None:
    """Write the page, and keep the section about the Spark job."""
    head = HEAD.format(
        minutes=round(seconds / 60), python=platform.python_version(), **_describe_machine()
    )
    parts = [f"## {it.title}\n\n{it.text.strip()}\n\n```\n{it}\n```\n" for it in sections]
    _, spark = _split_page()
    PAGE.write_text("\n".join([head, *parts, *filter(None, [spark])]))


def write_spark_section(section: BenchmarkSection) -> None:
    """Write the section about the Spark job, and keep the others."""
    head = SPARK_HEAD.format(title=section.title, text=section.text.strip(), **_describe_machine())
    before, _ = _split_page()
    PAGE.write_text(f"{before.rstrip()}\n\n{head}\n```\n{section}\n```\n")


def _describe_machine() -> dict[str, object]:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return {"day": day, "cores": os.cpu_count(), "processor": _read_processor()}


def _split_page() -> tuple[str, str]:
    """What is before the section about the Spark job, and that section."""
    before, mark, after = PAGE.read_text().partition(SPARK_HEAD.partition("\n")[0])
    return before, mark + after


def _read_processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()
