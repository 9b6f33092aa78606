"""The run id of a job that was started without one.

The same content, processed by the same code into the same folder, is the same run.
"""

import hashlib
import json
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

from framework.arguments import JobOrder
from framework.inputs import FoundInput
from framework.job_files import JOBS_FOLDER, pack_files


def compute_run_id(order: JobOrder, found: FoundInput) -> str:
    """Return the run id of the order, or else 20 hex digits over what makes the run."""
    essence = {
        "bucket": order.input_bucket, "key": order.input_key, "etag": found.etag,
        "size": found.bytes, "output": order.output_uri,
        "arguments": [order.quarantine_limit.text, *sorted(map(list, order.parameters.items()))],
        "code": hash_code(order.job.name), "contract": order.job.contract.version,
    }  # fmt: skip
    return (
        order.run_id
        or hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()[:20]
    )


@cache
def hash_code(job: str) -> str:
    """Return a hash over the job's files as they run, from folders or from the zip for Spark.

    The launcher stores the code in the operations bucket under this hash: see
    functions/start_spark_job/pack.py.
    """
    package = {
        f"{__package__}/{module.name}": module.read_bytes()
        for module in files(str(__package__)).iterdir()
        if module.name.endswith(".py")
    }
    listed = [
        [name, hashlib.sha256(body).hexdigest()]
        for name, body in sorted(
            (package | pack_files(JOBS_FOLDER, job) | _read_entry_point()).items()
        )
    ]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:32]


def _read_entry_point() -> dict[str, bytes]:
    """Return the program that was started, if it is the job's entry point."""
    started = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return {started.name: started.read_bytes()} if started.name == "preprocess.py" else {}
