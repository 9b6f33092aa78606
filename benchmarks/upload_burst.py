"""`python -m benchmarks.upload_burst 10000`: so many uploads of one file within a minute.

No two of them are alike. It runs against the stack as it is deployed, and shows how many jobs
start, how each ends, that the last content is computed once, and that no upload is lost.
"""

import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness.deployment import INPUT_KEY, Deployment, deploy_stack
from harness.figures import Figure, format_figures, write_figures
from harness.session import open_session

OUTPUT_FOLDER = "UserA/output"
SEND_SECONDS = 60.0  # in which everything is uploaded, if the machine can
SENDERS = 4
ROWS_PER_UPLOAD = 40
JOBS_BOUND = 4
REST_SECONDS = 900.0
FINAL_STATUSES = ("Completed", "Failed", "Stopped")


@dataclass
class UploadBurst:
    """One burst on a deployed stack. `seconds` is how long sending took."""

    deployment: Deployment
    uploads: int
    seconds: float = 0.0

    def send(self) -> None:
        """Upload everything, spread evenly over a minute, by several senders in parallel."""
        begun = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(lambda sender: self._send_share(sender, begun), range(SENDERS)))
        # One more by one sender: which upload of several senders is the last is unknown.
        self._put_rows(self.deployment.session.client("s3"), self.uploads - 1)
        self.seconds = time.monotonic() - begun

    def _send_share(self, sender: int, begun: float) -> None:
        s3 = self.deployment.session.client("s3")
        for number in range(sender, self.uploads - 1, SENDERS):
            due = begun + SEND_SECONDS * number / self.uploads
            time.sleep(max(0.0, due - time.monotonic()))
            self._put_rows(s3, number)

    def _put_rows(self, s3: Any, number: int) -> None:
        body = generate_rows(number)
        s3.put_object(Bucket=self.deployment.data_bucket, Key=INPUT_KEY, Body=body)

    def wait_for_rest(self) -> float:
        """Wait until the last content is computed and no message waits; the seconds it took."""
        begun = time.monotonic()
        while not self._is_at_rest():
            if time.monotonic() - begun > REST_SECONDS:
                jobs = json.dumps(self.read_jobs(), indent=1)[:2000]
                raise TimeoutError(f"not at rest within {REST_SECONDS:.0f} s: {jobs}")
            time.sleep(1)
        return time.monotonic() - begun

    def _is_at_rest(self) -> bool:
        queued = self.deployment.count_messages("UploadQueue")
        return queued == 0 and self.is_last_computed() and not self.read_jobs()["waiting"]

    def read_jobs(self) -> dict[str, Any]:
        """What `grantor jobs --json` prints."""
        return dict(json.loads(self.deployment.session.run_grantor("jobs", "--json")))

    def read_last_etag(self) -> str:
        """The ETag of the last upload."""
        s3 = self.deployment.session.client("s3")
        head = s3.head_object(Bucket=self.deployment.data_bucket, Key=INPUT_KEY)
        return str(head["ETag"]).strip('"')

    def is_last_computed(self) -> bool:
        """Whether a run on the last content has completed, and is recorded."""
        runs, last = self.read_jobs()["runs"], self.read_last_etag()
        return any(run["status"] == "Completed" and run["etag"] == last for run in runs)

    def read_manifest(self) -> dict[str, Any]:
        """The manifest that LATEST.json names."""
        latest = self._read_json(f"{OUTPUT_FOLDER}/LATEST.json")
        return self._read_json(f"{OUTPUT_FOLDER}/runs/{latest['run_id']}/_manifest.json")

    def _read_json(self, key: str) -> dict[str, Any]:
        s3 = self.deployment.session.client("s3")
        return dict(json.load(s3.get_object(Bucket=self.deployment.data_bucket, Key=key)["Body"]))

    def list_versions(self) -> set[str]:
        """Every version that was uploaded."""
        paginator = self.deployment.session.client("s3").get_paginator("list_object_versions")
        pages = paginator.paginate(Bucket=self.deployment.data_bucket, Prefix=INPUT_KEY)
        return {one["VersionId"] for page in pages for one in page["Versions"]}

    def list_logged_versions(self) -> set[str]:
        """Every version whose outcome is in the launcher's log."""
        records = self.deployment.read_log(self.deployment.outputs["StartSparkJob"])
        looks = [record for record in records if record.get("message") == "upload processed"]
        return {version for record in looks for version in record["versions"]}


def generate_rows(number: int) -> bytes:
    """Lines that differ from those of every other number."""
    chance = random.Random(number)  # noqa: S311  -- rows, not secrets
    limits = (1, 1, 1, 3, 1, 1, 1)
    rows = []
    for _ in range(ROWS_PER_UPLOAD):
        measures = ",".join(f"{chance.uniform(0.01, limit):.4f}" for limit in limits)
        rows.append(f"{chance.choice('MFI')},{measures},{chance.randint(1, 29)}\n")
    return "".join(rows).encode()


def measure_upload_burst(deployment: Deployment, uploads: int) -> list[Figure]:
    """One burst, from its first upload to rest."""
    burst = UploadBurst(deployment, uploads)
    before = len(burst.list_versions())
    burst.send()
    rest = burst.wait_for_rest()
    runs, last, versions = burst.read_jobs()["runs"], burst.read_last_etag(), burst.list_versions()
    statuses = Counter(run["status"] for run in runs)
    sent = len(versions) - before
    on_last = sum(run["etag"] == last for run in runs)
    unlogged = sent - len(burst.list_logged_versions() & versions)
    stale = int(burst.read_manifest()["input"]["etag"] != last)
    skipped = sum(run["passed_over"] for run in runs)
    dead = deployment.count_messages("UploadDLQ")
    return [
        Figure("burst: uploads", sent, "runs"),
        Figure("burst: seconds in which they were sent", burst.seconds, "s"),
        Figure("burst: jobs started", len(runs), "runs", JOBS_BOUND),
        *(Figure(f"burst: of them {it}", statuses[it], "runs") for it in FINAL_STATUSES),
        Figure("burst: jobs on the last content beyond one", on_last - 1, "runs", 0),
        Figure("burst: outputs that are not of the last content", stale, "runs", 0),
        Figure("burst: uploads that runs have recorded as passed over", skipped, "runs"),
        Figure("burst: uploads missing from the log", unlogged, "runs", 0),
        Figure("burst: uploads in the dead-letter queue", dead, "events", 0),
        Figure("burst: last upload to rest", rest, "s"),
    ]


def main(uploads: int) -> int:
    """Print and write the figures; 0 if every bound holds, else 1."""
    with open_session() as session:
        deployment = deploy_stack(session)
        deployment.put_article_policy()
        deployment.put_job_policy()
        figures = measure_upload_burst(deployment, uploads)
    path = write_figures("upload_burst", figures)
    print(format_figures(figures), f"written to {path}", sep="\n\n")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
