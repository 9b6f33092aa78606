"""The job's code, which the launcher carries and puts where SageMaker finds it: one deploy moves both.

code/<hash>/preprocess.py                               the entry
code/<hash>/py-files/abalone.zip                        its package
code/<hash>/conf/<data bucket>/configuration.json       how Spark is configured for that bucket
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grantor.core.jobs.identity import Code

BUCKET = "{data_bucket}"  # stands in the configuration for the bucket that the data is in


@dataclass(frozen=True)
class Carried:
    """A folder as functions/start_spark_job/pack.py makes it."""

    folder: Path

    @cached_property
    def code(self) -> Code:
        """The hash over all that is carried, and the version of the data contract."""
        return Code(self._told["code"], self._told["contract"])

    def files(self, data_bucket: str) -> Mapping[str, bytes]:
        """What has to stand in the operations bucket, by its key, before a job on this bucket is started."""
        root = f"code/{self.code.hash}/"
        configuration: Sequence[Any] = self._told["configuration"]
        written = json.dumps(configuration, indent=1).replace(BUCKET, data_bucket)
        return {
            f"{root}preprocess.py": (self.folder / "preprocess.py").read_bytes(),
            f"{root}py-files/abalone.zip": (self.folder / "abalone.zip").read_bytes(),
            f"{root}conf/{data_bucket}/configuration.json": written.encode(),
        }

    @cached_property
    def _told(self) -> Mapping[str, Any]:
        return dict(json.loads((self.folder / "carried.json").read_text()))
