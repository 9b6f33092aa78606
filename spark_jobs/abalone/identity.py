"""Which run a job is, where nobody has told it: the same content through the same code into the same folder is the same run."""

import hashlib
import json
from functools import cache
from importlib.resources import files

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
    """A hash over the package's modules, as they are run: from a folder, or from the zip that Spark was given."""
    digest = hashlib.sha256()
    for module in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if module.name.endswith(".py"):
            digest.update(f"{module.name} {hashlib.sha256(module.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:32]
