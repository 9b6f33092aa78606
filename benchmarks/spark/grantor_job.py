"""A job's pass and session as they ship.

Validation, quarantine, features, a stable split, and all counts of the drift report.

python grantor_job.py abalone abalone.csv out: out/train, out/validation and out/quarantine are
written, and the counts are printed as JSON.
"""

import json
import sys
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "spark_jobs"))

from framework import drift, engine, measures
from framework.job_files import read_job
from framework.session import open_session

BYTES_PER_FILE = 64 << 20  # of input for each output file, as in the job


def main(job: str, source: str, target: str) -> None:
    """Write the output, and print the counts."""
    contract = read_job(job).contract
    with open_session() as spark:
        wanted = ceil(Path(source).stat().st_size / BYTES_PER_FILE)
        files = min(wanted, spark.sparkContext.defaultParallelism)
        counts = engine.transform_files(spark, [source], target, files, contract)
        encoded = measures.encode_counts(counts)
        drifted = drift.describe_drift(encoded, encoded, contract.drift)
        print(json.dumps(encoded["rows"] | {"drift": drifted}))


if __name__ == "__main__":
    main(*sys.argv[1:])
