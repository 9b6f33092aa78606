"""One run, from its arguments to its exit code.

If the run was already published, the job makes sure that readers find it and computes nothing.
Otherwise it requests the grants before Spark starts, checks the input before it reads it and again
before it publishes the features. Whatever is killed in between, no reader sees half a run.
"""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from framework import drift, identity, manifest, measures, publish, report
from framework.access import READ, WRITE, CredentialBroker
from framework.arguments import JobOrder, parse_arguments
from framework.compute import ComputedRun, ComputeTask, compute_run
from framework.exits import (
    CONTRACT,
    DONE,
    INPUT,
    INTERNAL,
    WRONG_HEADER,
    JobFailed,
    explain_failure,
)
from framework.first_bytes import SNIFFED_BYTES, find_first_bytes_fault, find_first_line
from framework.formatting import print_line
from framework.inputs import FoundInput, describe_input, find_change, find_input, list_inputs
from framework.objects import FoundObject, ObjectFolder, map_parallel
from framework.summary import RunSummary, report_summary, time_step

ROW_LABELS = {
    "in": "rows in",
    "train": "to train",
    "validation": "to validate",
    "data": "made by the script",
    "quarantine": "in quarantine",
}
# What a manifest of unexpected content raises where it is read
SENSELESS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def main(words: Sequence[str], make: Callable[[ComputeTask], ComputedRun] = compute_run) -> int:
    """Run the job and return its exit code.

    `make` writes the run's files into its folder and counts the rows.
    """
    summary, target = RunSummary(), ""
    try:
        order = parse_arguments(words)
        summary.run_id, target = order.run_id, order.summary
        summary.sentence = JobRun(order, summary, make).execute()
        summary.exit = DONE
    except BaseException as failure:  # noqa: BLE001  -- every end has an exit code and a sentence
        known = explain_failure(failure)
        if known.code == INTERNAL:
            for line in traceback.format_exc().expandtabs().splitlines():
                print_line(line, sys.stderr)
        summary.outcome, summary.exit, summary.sentence = "failed", known.code, known.sentence
    report_summary(summary, target)
    return summary.exit


class JobRun:
    """One run: its order, and what is known of it so far."""

    def __init__(
        self,
        order: JobOrder,
        summary: RunSummary,
        make: Callable[[ComputeTask], ComputedRun] = compute_run,
    ) -> None:
        self.order, self.summary, self.make = order, summary, make
        self.started = datetime.now(UTC).isoformat()
        self.broker = CredentialBroker(order.account, order.job_name)
        self.source = ObjectFolder(self.broker, order.input_bucket, order.input_scope)
        below = ObjectFolder(self.broker, order.output_bucket, f"{order.output_folder}*")
        plain = order.job.splits[:-1]
        self.output = publish.RunFolder(below, order.output_folder, plain)

    def execute(self) -> str:
        """Publish the run, unless that was done before, and return its sentence.

        Raises JobFailed if it cannot be published.
        """
        with time_step(self.summary, "look"):
            found = find_input(self.order, list_inputs(self.order), self.source)
            self.summary.run_id = identity.compute_run_id(self.order, found)
            self.output.objects.require_grants(READ, WRITE)
            before = publish.read_published(self.output, self.summary.run_id)
        self.summary.outcome = "already" if before else "done"
        published = before or self._compute_and_publish(found)
        with time_step(self.summary, "show"):
            return self._summarize_run(published, self._show_run(published, found))

    def _compute_and_publish(self, found: FoundInput) -> Mapping[str, Any]:
        """Compute the features with Spark, and publish them with their manifest."""
        map_parallel(self._check_first_bytes, found.objects)
        publish.delete_run(self.output, self.summary.run_id)
        computed = self.make(ComputeTask(self.order, found, self.source, self.output, self.summary))
        with time_step(self.summary, "read back"):
            files = publish.digest_files(self.output, self.summary.run_id)
        if wrong := manifest.find_miscount(self.summary.rows, files):
            raise JobFailed(
                INTERNAL,
                f"The run is not published: its counts differ ({wrong}). Start the job again.",
            )
        self._check_unchanged(found)
        return publish.publish_run(self.output, *self._describe_run(found, computed, files))

    def _describe_run(
        self, found: FoundInput, computed: ComputedRun, files: Sequence[manifest.ManifestFile]
    ) -> tuple[Mapping[str, Any], str]:
        """Return the run's manifest and report, compared with the previous run.

        If the previous manifest makes no sense, whoever wrote it, there is no comparison.
        """
        before = self._read_previous()
        try:
            wanted = self._build_manifest(found, computed, files, before)
            return wanted, report.render_page(wanted, before)
        except SENSELESS:
            if before is None:
                raise
            wanted = self._build_manifest(found, computed, files, None)
            return wanted, report.render_page(wanted, None)

    def _check_first_bytes(self, found: FoundObject) -> None:
        """Raise JobFailed if an object's first bytes already show that it breaks the contract."""
        uri, contract = f"s3://{self.order.input_bucket}/{found.key}", self.order.job.contract
        if not found.bytes:
            raise JobFailed(CONTRACT, f"{uri} is empty. Upload it again with its data.")
        first = self.source.read_beginning(found, SNIFFED_BYTES)
        if fault := find_first_bytes_fault(first, contract):
            raise JobFailed(CONTRACT, f"{uri} {fault}")
        if fault := find_first_line(first, contract):
            raise JobFailed(CONTRACT, f"{fault} {WRONG_HEADER.format(uri)}")

    def _check_unchanged(self, found: FoundInput) -> None:
        """Raise JobFailed if the input has changed, so that no mixture of inputs is published."""
        if changed := find_change(found, self.source, self.order.input_prefix):
            publish.delete_run(self.output, self.summary.run_id)
            raise JobFailed(
                INPUT,
                f"{changed} while the job worked on it; nothing was "
                "published. New data starts a new run.",
            )

    def _read_previous(self) -> Mapping[str, Any] | None:
        """Return the manifest of the run that LATEST names; None if it has another format."""
        held = publish.read_latest(self.output)
        latest = held[0] if held else None
        before = publish.read_published(self.output, latest.run_id) if latest else None
        return before if before and before["format"] in manifest.COMPARABLE_FORMATS else None

    def _build_manifest(
        self,
        found: FoundInput,
        computed: ComputedRun,
        files: Sequence[manifest.ManifestFile],
        before: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        order, counts = self.order, measures.encode_counts(computed.counts)
        contract = order.job.contract
        self.summary.drift = drift.describe_drift(counts, before, contract.drift)
        return {
            "format": manifest.FORMAT,
            "run_id": self.summary.run_id,
            "job": order.job_name,
            "account": order.account,
            "code": identity.hash_code(order.job.name),
            "contract": {
                "name": contract.name,
                "title": contract.title,
                "version": contract.version,
                "units": dict(contract.units),
            },
            "parameters": dict(order.parameters),
            "input": describe_input(found, self.source),
            "output": order.output_uri,
            **counts,
            "files": [manifest.to_dict(file) for file in files],
            "drift": self.summary.drift,
            "before": before and before["run_id"],
            "access": self._summarize_access(computed),
            "spark": computed.spark,
            "started": self.started,
            "at": datetime.now(UTC).isoformat(),
            "seconds": dict(self.summary.seconds),
        }

    def _summarize_access(self, computed: ComputedRun) -> dict[str, Any]:
        grants = sorted(f"{permission} {target}" for permission, target in self.broker.used)
        self.summary.access = {"mode": computed.mode, "why": computed.why, "grants": grants}
        return self.summary.access

    def _show_run(self, published: Mapping[str, Any], found: FoundInput) -> publish.LatestPointer:
        """Move LATEST to the run unless it names a newer one, and sync the plain files with it."""
        wanted = publish.make_pointer(
            self.output, published["run_id"], found.modified, self.started
        )
        held = publish.move_latest(self.output, wanted)
        publish.sync_plain_files(self.output)
        return held

    def _summarize_run(self, published: Mapping[str, Any], held: publish.LatestPointer) -> str:
        here = publish.make_pointer(self.output, published["run_id"], "", "")
        summary, rows = self.summary, published["rows"]
        summary.rows, summary.quarantine, summary.drift = (
            published["rows"],
            published["quarantine"],
            published["drift"],
        )
        summary.manifest, summary.report, summary.access = (
            here.manifest,
            here.report,
            published["access"],
        )
        summary.header_lines = published.get("header_lines", 0)
        what = "Rows" if self.order.job.script else "Features"
        how = (
            "were published already, and nothing was computed"
            if summary.outcome == "already"
            else "are published"
        )
        counts = ", ".join(
            f"{rows[name]:,} {label}" for name, label in ROW_LABELS.items() if name in rows
        )
        counts += describe_header_lines(summary.header_lines)
        late = (
            ""
            if held.run_id == published["run_id"]
            else f" LATEST stays with run {held.run_id}, whose input is newer."
        )
        return (
            f"{what} of {self.order.input_uri} {how} (run {published['run_id']}): {counts}.{late}"
        )


def describe_header_lines(count: int) -> str:
    """Say how many header lines were skipped, after other counts.

    >>> describe_header_lines(0), describe_header_lines(1), describe_header_lines(2)
    ('', ', 1 header line skipped', ', 2 header lines skipped')
    """
    return f", {count:,} header line{'s' if count > 1 else ''} skipped" if count else ""
