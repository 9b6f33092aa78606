"""The sample events, each with the functions that receive it."""

from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))
JOB_EVENTS = (
    "abalone_uploaded",
    "schedule_fired",
    "grants_reconciled",
    "spark_job_completed",
    "spark_job_failed",
)
CASES = [
    *(
        (path, "ReconcileGrants")
        for path in EVENTS
        if path.stem not in JOB_EVENTS or path.stem == "schedule_fired"
    ),
    *((path, "StartSparkJob") for path in EVENTS if path.stem in JOB_EVENTS),
]
IDS = [f"{path.stem}-{function}" for path, function in CASES]
