"""One run from its arguments to its exit code.

What was made already is made visible, and nothing is computed. Else the grants are asked for before Spark starts, the input is looked at
before it is read and again before its features are published, and whatever dies in between, no reader sees half a run.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from abalone import drift, identity, manifest, measures, publish, report
from abalone.access import READ, WRITE, Broker
from abalone.arguments import Order, parsed
from abalone.contract import VERSION
from abalone.exits import CONTRACT, DONE, INPUT, INTERNAL, Failed, explained
from abalone.making import Made, Task, made
from abalone.objects import Found, Objects
from abalone.sniff import FIRST, odd
from abalone.summary import Summary, step, tell

COUNTED = {"in": "rows in", "train": "to train", "validation": "to validate", "quarantine": "in quarantine"}


def main(words: Sequence[str], make: Callable[[Task], Made] = made) -> int:
    """Run what the arguments order; the exit code. `make` puts the run's files into its folder, and counts."""
    summary, place = Summary(), ""
    try:
        order = parsed(words)
        summary.run_id, place = order.run_id, order.summary
        summary.sentence = Run(order, summary, make).outcome()
        summary.exit = DONE
    except BaseException as failure:  # noqa: BLE001  -- however it ends, it ends with a code and a sentence
        known = explained(failure)
        if known.code == INTERNAL:
            traceback.print_exc()
        summary.outcome, summary.exit, summary.sentence = "failed", known.code, known.sentence
    tell(summary, place)
    return summary.exit


class Run:
    """One order, and what is known of it so far."""

    def __init__(self, order: Order, summary: Summary, make: Callable[[Task], Made] = made) -> None:
        self.order, self.summary, self.make = order, summary, make
        self.started = datetime.now(UTC).isoformat()
        self.broker = Broker(order.account, order.job_name)
        self.source = Objects(self.broker, order.input_bucket, order.input_key)
        below = Objects(self.broker, order.output_bucket, f"{order.output_folder}*")
        self.output = publish.Output(below, order.output_folder)

    def outcome(self) -> str:
        """The run is published, by this job or before; what is to be told of it. Failed if it can not be."""
        with step(self.summary, "look"):
            found = self._looked_up()
            self.summary.run_id = identity.run_id(self.order, found)
            self.output.objects.need(READ, WRITE)
            before = publish.published(self.output, self.summary.run_id)
        self.summary.outcome = "already" if before else "done"
        told = before or self._made(found)
        with step(self.summary, "show"):
            return self._told(told, self._shown(told, found))

    def _looked_up(self) -> Found:
        """The input, if it is what was ordered."""
        found = self.source.find(self.order.input_key)
        if found is None:
            raise Failed(INPUT, f"{self.order.input} is not there. Upload it; that starts a run.")
        if self.order.input_etag and found.etag != self.order.input_etag:
            why = f"{self.order.input} was replaced after this job was ordered. What has come starts a run of its own."
            raise Failed(INPUT, why)
        return found

    def _made(self, found: Found) -> Mapping[str, Any]:
        """Spark has made the features, and their manifest stands beside them."""
        self._plausible(found)
        publish.clear(self.output, self.summary.run_id)
        making = self.make(Task(self.order, found, self.source, self.output, self.summary))
        with step(self.summary, "read back"):
            files = publish.files(self.output, self.summary.run_id)
        if wrong := manifest.miscounted(self.summary.rows, files):
            raise Failed(INTERNAL, f"The run does not add up and is not published: {wrong}. Start the job again.")
        self._unchanged(found)
        before = self._before()
        told = self._manifest(found, making, files, before)
        return publish.publish(self.output, told, report.page(told, before))

    def _plausible(self, found: Found) -> None:
        """Failed if a look at the input's first bytes is enough to know that nothing will come of it."""
        if not found.bytes:
            raise Failed(CONTRACT, f"{self.order.input} is empty. Upload it again with its lines.")
        if kind := odd(self.source.beginning(found, FIRST)):
            how = "Upload it as lines of plain text in UTF-8, nine columns with commas between"
            raise Failed(CONTRACT, f"{self.order.input} is {kind}. {how}.")

    def _unchanged(self, found: Found) -> None:
        """The input is still what it was, so that no features of a mixture are published; Failed else."""
        now = self.source.find(found.key)
        if now is None or now.etag != found.etag:
            publish.clear(self.output, self.summary.run_id)
            gone = "was deleted" if now is None else "was replaced"
            raise Failed(
                INPUT,
                f"{self.order.input} {gone} while the job worked on it; nothing was published. What comes starts a new run.",
            )

    def _before(self) -> Mapping[str, Any] | None:
        """The run that is published now, to compare with; none if its manifest is of another kind."""
        held = publish.latest(self.output)
        before = publish.published(self.output, held[0].run_id) if held else None
        return before if before and before["format"] == manifest.FORMAT else None

    def _manifest(
        self, found: Found, making: Made, files: Sequence[manifest.File], before: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        order, counts = self.order, measures.to_json(making.counts)
        self.summary.drift = drift.compare(counts, before)
        source = manifest.Input(
            order.input_bucket, found.key, self.source.version(found.key), found.etag, found.bytes, found.modified
        )
        return {
            "format": manifest.FORMAT,
            "run_id": self.summary.run_id,
            "job": order.job_name,
            "account": order.account,
            "code": identity.code(),
            "contract": {"version": VERSION},
            "input": manifest.plain(source),
            "output": order.output,
            **counts,
            "files": [manifest.plain(one) for one in files],
            "drift": self.summary.drift,
            "before": before and before["run_id"],
            "access": self._access(making),
            "spark": making.spark,
            "started": self.started,
            "at": datetime.now(UTC).isoformat(),
            "seconds": dict(self.summary.seconds),
        }

    def _access(self, making: Made) -> dict[str, Any]:
        grants = sorted(f"{permission} {target}" for permission, target in self.broker.used)
        self.summary.access = {"mode": making.mode, "why": making.why, "grants": grants}
        return self.summary.access

    def _shown(self, told: Mapping[str, Any], found: Found) -> publish.Pointer:
        """Where LATEST points; the plain files are of the same run."""
        wanted = publish.pointer(self.output, told["run_id"], found.modified, self.started)
        held = publish.point(self.output, wanted)
        publish.lay_plain(self.output)
        return held

    def _told(self, told: Mapping[str, Any], held: publish.Pointer) -> str:
        here = publish.pointer(self.output, told["run_id"], "", "")
        summary, rows = self.summary, told["rows"]
        summary.rows, summary.quarantine, summary.drift = told["rows"], told["quarantine"], told["drift"]
        summary.manifest, summary.report, summary.access = here.manifest, here.report, told["access"]
        how = "were published already, and nothing was computed" if summary.outcome == "already" else "are published"
        counts = ", ".join(f"{rows[name]:,} {said}" for name, said in COUNTED.items())
        late = "" if held.run_id == told["run_id"] else f" LATEST stays with run {held.run_id}, whose input is newer."
        return f"Features of {self.order.input} {how} (run {told['run_id']}): {counts}.{late}"
