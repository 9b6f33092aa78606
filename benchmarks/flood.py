"""`python -m benchmarks.flood 10000`: so many uploads of one file within a minute, no two alike, through the stack as it is deployed.

How many jobs that starts, what came of each, that the last content is computed once, and that no upload is lost.
"""

import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure, table, write
from demo.__main__ import free_port
from demo.article import drop_jobs, drop_policy
from demo.cast import STACK, Cast
from demo.desk import Desk
from demo.runs import INPUT
from demo.stack import deploy

FOLDER = "UserA/output"
MINUTE = 60.0  # seconds in which all is uploaded, if the machine can
SENDERS = 4
ROWS = 40  # of each upload
JOBS = 4  # that may be started
PATIENCE = 900.0  # seconds until all must be at rest
OVER = ("Completed", "Failed", "Stopped")


@dataclass
class Flood:
    """One flood over a deployed stack. `sent` are the seconds that it took."""

    cast: Cast
    uploads: int
    sent: float = 0.0

    def send(self) -> None:
        """Upload everything, evenly over a minute, by several senders side by side."""
        begun = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(lambda sender: self._send(sender, begun), range(SENDERS)))
        self._put(self.cast.desk.client("s3"), self.uploads - 1)  # of several senders' uploads nobody knows which is the last
        self.sent = time.monotonic() - begun

    def _send(self, sender: int, begun: float) -> None:
        s3 = self.cast.desk.client("s3")
        for number in range(sender, self.uploads - 1, SENDERS):
            time.sleep(max(0.0, begun + MINUTE * number / self.uploads - time.monotonic()))
            self._put(s3, number)

    def _put(self, s3: Any, number: int) -> None:
        s3.put_object(Bucket=self.cast.data, Key=INPUT, Body=rows(number))

    def rest(self) -> float:
        """Wait until the last content is computed, and no message waits; how many seconds that took."""
        begun = time.monotonic()
        while not (self.queued("Uploads") == 0 and self.last_is_computed() and not self.told()["waiting"]):
            if time.monotonic() - begun > PATIENCE:
                raise TimeoutError(f"not at rest within {PATIENCE:.0f} s: {json.dumps(self.told(), indent=1)[:2000]}")
            time.sleep(1)
        return time.monotonic() - begun

    def told(self) -> dict[str, Any]:
        """What `grantor jobs` says."""
        return dict(json.loads(self.cast.desk.grantor("jobs", "--json")))

    def latest(self) -> str:
        """The ETag of what was uploaded last."""
        return str(self.cast.desk.client("s3").head_object(Bucket=self.cast.data, Key=INPUT)["ETag"]).strip('"')

    def last_is_computed(self) -> bool:
        """Whether a run on it has completed, and that is recorded."""
        return any(run["status"] == "Completed" and run["etag"] == self.latest() for run in self.told()["runs"])

    def published(self) -> dict[str, Any]:
        """The manifest that LATEST leads to."""
        s3, found = self.cast.desk.client("s3"), f"{FOLDER}/LATEST.json"
        latest = json.load(s3.get_object(Bucket=self.cast.data, Key=found)["Body"])
        key = f"{FOLDER}/runs/{latest['run_id']}/_manifest.json"
        return dict(json.load(s3.get_object(Bucket=self.cast.data, Key=key)["Body"]))

    def queued(self, queue: str) -> int:
        """The messages of a queue of the stack, also those that come later, or are being answered."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        stack, sqs = self.cast.desk.client("cloudformation"), self.cast.desk.client("sqs")
        found = stack.describe_stack_resource(StackName=STACK, LogicalResourceId=queue)["StackResourceDetail"]
        told = sqs.get_queue_attributes(QueueUrl=found["PhysicalResourceId"], AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    def versions(self) -> set[str]:
        """Every version that was uploaded."""
        pages = self.cast.desk.client("s3").get_paginator("list_object_versions").paginate(Bucket=self.cast.data, Prefix=INPUT)
        return {one["VersionId"] for page in pages for one in page["Versions"]}

    def looked_at(self) -> set[str]:
        """Every version of which the launcher's log says what became of it."""
        lines = self.cast.logged(self.cast.outputs["StartSparkJob"])
        return {version for line in lines if line.get("message") == "looked at" for version in line["versions"]}


def rows(number: int) -> bytes:
    """Lines that no other number has."""
    chance = random.Random(number)  # noqa: S311  -- rows, not secrets
    measures = [",".join(f"{chance.uniform(0.01, most):.4f}" for most in (1, 1, 1, 3, 1, 1, 1)) for _ in range(ROWS)]
    return "".join(f"{chance.choice('MFI')},{one},{chance.randint(1, 29)}\n" for one in measures).encode()


def measure(cast: Cast, uploads: int) -> list[Figure]:
    """One flood, from its first upload to rest."""
    flood = Flood(cast, uploads)
    before = len(flood.versions())
    flood.send()
    rest = flood.rest()
    runs = flood.told()["runs"]
    made, last = Counter(run["status"] for run in runs), [run for run in runs if run["etag"] == flood.latest()]
    unseen = len(flood.versions()) - before - len(flood.looked_at() & flood.versions())
    followed = flood.published()["input"]["etag"] == flood.latest()
    return [
        Figure("flood: uploads", len(flood.versions()) - before, "runs"),
        Figure("flood: seconds in which they came", flood.sent, "s"),
        Figure("flood: jobs that were started", len(runs), "runs", JOBS),
        *(Figure(f"flood: of them {status}", made[status], "runs") for status in OVER),
        Figure("flood: jobs on the last content beyond one", len(last) - 1, "runs", 0),
        Figure("flood: outputs that don't follow the last content", 0 if followed else 1, "runs", 0),
        Figure("flood: uploads that runs have on record as passed over", sum(run["passed_over"] for run in runs), "runs"),
        Figure("flood: uploads of which the log says nothing", unseen, "runs", 0),
        Figure("flood: uploads among the dead letters", flood.queued("DeadUploads"), "bells", 0),
        Figure("flood: last upload to rest", rest, "s"),
    ]


def main(uploads: int) -> int:
    """0 if every bound holds."""
    desk = Desk.up(free_port())
    try:
        cast = deploy(desk, None)
        drop_policy(cast)
        drop_jobs(cast)
        figures = measure(cast, uploads)
    finally:
        desk.down()
    print(table(figures), f"written to {write('flood', figures)}", sep="\n\n")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
