"""The job's pass and session as they ship.

Validation, quarantine, features, a stable split, and all counts of the drift report.

python grantor_job.py abalone.csv out: out/train, out/validation and out/quarantine are written,
and the counts are printed as JSON.
"""

import json
import sys
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "spark_jobs"))

from abalone import drift, engine, measures
from abalone.compute import open_session

BYTES_PER_FILE = 64 << 20  # of input for each output file, as in the job


def main(source: str, target: str) -> None:
    """Write the output, and print the counts."""
    with open_session() as spark:
        wanted = ceil(Path(source).stat().st_size / BYTES_PER_FILE)
        files = min(wanted, spark.sparkContext.defaultParallelism)
        counts = measures.encode_counts(engine.transform_file(spark, source, target, files))
        print(json.dumps(counts["rows"] | {"drift": drift.describe_drift(counts, counts)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
