"""Run a team's script: the rows that fit the contract go through transform(df, context).

The framework reads and judges the input by the contract, writes the quarantine, and writes what the
script returns as lines of JSON. The script runs in the job's process, with the grants of its role.
"""

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

from framework import columns, engine
from framework.contract import Column, Contract
from framework.exits import INTERNAL, JobFailed
from framework.job_files import SCRIPT_NAME, Job
from framework.lines import HEADER_FAULT
from framework.measures import Counts
from framework.parameters import ParameterValue
from framework.split_folders import SplitFolders

TYPES = {"number": "double", "integer": "bigint", "date": "date", "datetime": "timestamp"}
WRITE_OPTIONS = {**engine.WRITE_OPTIONS, "ignoreNullFields": "false"}


@dataclass(frozen=True)
class ScriptContext:
    """What a script is given beside the rows."""

    job: str
    run_id: str
    parameters: Mapping[str, ParameterValue]
    inputs: tuple[str, ...]  # s3:// URIs of the objects that the rows come from
    output: str  # s3:// URI of the run's folder; the framework writes there


def transform_by_script(
    spark: SparkSession,
    sources: Sequence[str],
    target: str,
    job: Job,
    context: ScriptContext,
) -> Counts:
    """Write what the script makes of the rows to target/data, and refused ones to quarantine.

    Raises JobFailed as engine.transform_files does, and with INTERNAL if the script fails.
    """
    transform = load_transform(job)
    parallel = int(spark.sparkContext.defaultParallelism)
    session, folder = (
        engine.derive_session(spark, parallel),
        SplitFolders(spark, target, job.splits),
    )
    folder.delete_splits()
    size, seen, made = sum(map(folder.file_size, sources)), Observation(), Observation()
    lines = engine.read_input(session, sources, job.contract)
    judged = columns.judge_lines(lines, job.contract)
    _write_quarantine(judged.observe(seen, *_observe_rows()), f"{target}/quarantine", job.contract)
    engine.check_all_read(seen.get, size, sources, job.contract)
    reasons = engine.count_reasons(session, f"{target}/quarantine", seen.get)
    if HEADER_FAULT in reasons:
        engine.check_headers(session, f"{target}/quarantine", sources, job.contract)
    result = _call_transform(transform, _take_typed_rows(judged, job.contract), context)
    _write_result(result.observe(made, F.count(F.lit(1)).alias("rows")), f"{target}/data")
    return _collect_script_counts(seen.get, made.get["rows"], reasons)


def load_transform(job: Job) -> Callable[..., Any]:
    """Return the function `transform` of the job's script. Raises JobFailed without one."""
    from pyspark import cloudpickle

    module = type(inspect)(f"{job.name.replace('-', '_')}_transform")
    module.__file__ = f"{job.name}/{SCRIPT_NAME}"
    # Functions of the script reach the executors as values: they cannot import this module.
    cloudpickle.register_pickle_by_value(_register_module(module))
    try:
        exec(compile(job.script, module.__file__, "exec"), module.__dict__)  # noqa: S102  -- ships
    except Exception as error:
        raise _explain_script_failure(error) from error
    transform = getattr(module, "transform", None)
    if not callable(transform):
        raise JobFailed(INTERNAL, f"{SCRIPT_NAME} has no function transform(df, context). Add it.")
    return transform  # type: ignore[no-any-return]


def _register_module(module: Any) -> Any:
    import sys

    sys.modules[module.__name__] = module
    return module


def _call_transform(
    transform: Callable[..., Any], rows: DataFrame, context: ScriptContext
) -> DataFrame:
    takes_context = len(inspect.signature(transform).parameters) > 1
    try:
        result = transform(rows, context) if takes_context else transform(rows)
    except Exception as error:
        raise _explain_script_failure(error) from error
    if not hasattr(result, "observe"):
        kind = type(result).__name__
        raise JobFailed(INTERNAL, f"transform returned {kind}. Return a DataFrame of Spark.")
    return result


def _explain_script_failure(error: Exception) -> JobFailed:
    """Return a failure that names the line of the script; the whole trace goes to the log."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(f"/{SCRIPT_NAME}")
    ]
    where = f" at line {frames[-1].lineno}" if frames else ""
    text = (str(error).splitlines() or [""])[0][:300]
    why = f"{SCRIPT_NAME} failed{where}: {type(error).__name__}: {text}"
    return JobFailed(INTERNAL, f"{why}. Correct the script, and deploy it.")


def _take_typed_rows(judged: DataFrame, contract: Contract) -> DataFrame:
    """Return the rows that fit the contract, with columns of its names and types."""
    typed = (_type_column(at, column, contract) for at, column in enumerate(contract.columns))
    return judged.where("fit").select(*typed)


def _type_column(at: int, column: Column, contract: Contract) -> Expression:
    cell = F.col("cells")[at]
    if column.type == "boolean":
        value = cell.isin(*column.true_values)
    elif column.type == "integer":
        value = cell.cast("double").cast("bigint")  # 15.0 is whole, too
    else:
        value = cell.cast(TYPES.get(column.type, "string"))
    return F.when(~cell.isin(*contract.missing_words), value).alias(column.name)


def _observe_rows() -> list[Expression]:
    return [
        F.count(F.lit(1)).alias("rows"),
        F.sum("octets").alias("octets"),
        F.count(F.when(F.col("fit"), 1)).alias("kept"),
        F.count(F.when(F.col("header"), 1)).alias("headers"),
    ]


def _write_quarantine(judged: DataFrame, path: str, contract: Contract) -> None:
    refused = judged.where(~F.col("fit") & ~F.col("header"))
    marked = refused.select("value", F.lit(columns.QUARANTINE).alias("split"))
    written = columns.format_rows(marked, contract).select("value")
    written.write.options(**engine.WRITE_OPTIONS).mode("overwrite").text(path)


def _write_result(result: DataFrame, path: str) -> None:
    try:
        result.write.options(**WRITE_OPTIONS).mode("overwrite").json(path)
    except Exception as error:
        if type(error).__name__ in ("PythonException", "AnalysisException"):
            raise _explain_script_failure(error) from error
        raise


def _collect_script_counts(
    observed: Mapping[str, Any], made: int, reasons: Mapping[str, int]
) -> Counts:
    kept, total = observed["kept"], observed["rows"] - observed["headers"]
    rows = {"in": total, "kept": kept, "data": made, "quarantine": total - kept}
    ordered = dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
    return Counts(rows, ordered, {}, {}, 1, observed["headers"])
