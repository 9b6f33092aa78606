"""Which run a job is, where nobody has told it: the same content through the same code into the same folder is the same run."""

import hashlib
import json
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

from abalone.arguments import Order
from abalone.contract import VERSION
from abalone.objects import Found


def run_id(order: Order, found: Found) -> str:
    """The run id that was told, else 20 hex digits of its own."""
    told = {
        "bucket": order.input_bucket, "key": order.input_key, "etag": found.etag, "size": found.bytes, "output": order.output,
        "arguments": [order.tolerated.text], "code": code(), "contract": VERSION,
    }  # fmt: skip
    return order.run_id or hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:20]


@cache
def code() -> str:
    """A hash over the job's modules, as they are run: from folders, or from the zip that Spark was given.

    It is the one by which the launcher files them in the operations bucket: see functions/start_spark_job/pack.py.
    """
    package = {
        f"{__package__}/{one.name}": one.read_bytes() for one in files(str(__package__)).iterdir() if one.name.endswith(".py")
    }
    listed = [[name, hashlib.sha256(body).hexdigest()] for name, body in sorted((package | _entry()).items())]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:32]


def _entry() -> dict[str, bytes]:
    """The program that was started, if it is the job's own."""
    started = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return {started.name: started.read_bytes()} if started.name == "preprocess.py" else {}
