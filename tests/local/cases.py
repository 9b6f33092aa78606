"""What is asked of the functions: each file in events/, of whom it concerns."""

from tests.conftest import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))
OF_JOBS = ("abalone_uploaded", "clock_ticked", "grants_reconciled", "spark_job_completed", "spark_job_failed")
CASES = [
    *((path, "ReconcileGrants") for path in EVENTS if path.stem not in OF_JOBS or path.stem == "clock_ticked"),
    *((path, "StartSparkJob") for path in EVENTS if path.stem in OF_JOBS),
]
IDS = [f"{path.stem}-{function}" for path, function in CASES]
