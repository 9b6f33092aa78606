"""The job's pass and session as they are shipped: validation, quarantine, features, a stable split, and all that the drift report counts.

python ours.py abalone.csv out: out/train, out/validation and out/quarantine are written, the counts are printed as JSON.
"""

import json
import sys
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "spark_jobs"))

from abalone import drift, engine, measures
from abalone.session import session

A_FILE = 64 << 20  # bytes of input for a file of output, as the job has it


def main(source: str, target: str) -> None:
    with session() as spark:
        files = min(ceil(Path(source).stat().st_size / A_FILE), spark.sparkContext.defaultParallelism)
        counts = measures.to_json(engine.transform(spark, source, target, files))
        print(json.dumps(counts["rows"] | {"drift": drift.compare(counts, counts)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
