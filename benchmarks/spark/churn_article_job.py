"""Customers by the article's style of pipeline: Spark ML, a random split, lines written by Python.

Spark's own CSV reader with a schema, which makes a null of what does not fit, so rows with a null
are dropped without a count.

python churn_article_job.py churn.csv out: out/train and out/validation are written.
"""

import sys
from typing import Any

from pyspark.ml import Pipeline
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

SCHEMA = (
    "customer_id string, signup date, plan string, city string, paperless string, tenure int, "
    "monthly_charge double, total_charge double, support_calls int, last_contact timestamp, "
    "churned string"
)
NUMBERS = [
    "tenure", "monthly_charge", "total_log", "total_ratio", "support_calls", "is_paperless",
    "signup_year", "signup_month", "contact_days",
]  # fmt: skip


def build_features(spark: SparkSession, source: str) -> DataFrame:
    """Read the rows, with `label` and the vector `features`."""
    options = {"header": "true", "nullValue": "NA", "escape": '"'}
    read = spark.read.options(**options).schema(SCHEMA).csv(source)
    ratio = F.when(F.col("tenure") > 0, F.col("total_charge") / F.col("tenure"))
    days = F.datediff("last_contact", F.lit("1970-01-01"))
    paperless = F.when(F.col("paperless") == "yes", 1.0).otherwise(0.0)
    rows = read.select(
        "plan",
        "tenure",
        "monthly_charge",
        F.when(F.col("churned") == "yes", 1.0).otherwise(0.0).alias("label"),
        F.coalesce(F.log1p("total_charge"), F.lit(0.0)).alias("total_log"),
        F.coalesce(ratio, F.lit(0.0)).alias("total_ratio"),
        F.coalesce("support_calls", F.lit(0)).alias("support_calls"),
        paperless.alias("is_paperless"),
        F.year("signup").alias("signup_year"),
        F.month("signup").alias("signup_month"),
        F.coalesce(days, F.lit(0)).alias("contact_days"),
    ).na.drop()
    indexer = StringIndexer(inputCol="plan", outputCol="indexed_plan")
    encoder = OneHotEncoder(inputCol="indexed_plan", outputCol="plan_vec")
    assembler = VectorAssembler(inputCols=["plan_vec", *NUMBERS], outputCol="features")
    return Pipeline(stages=[indexer, encoder, assembler]).fit(rows).transform(rows)


def format_csv_line(data: Any) -> str:
    """The label and features of a row, as the article writes them."""
    return str(data[0]) + "," + ",".join(str(number) for number in data[1])


def main(source: str, target: str) -> None:
    """Write target/train and target/validation."""
    spark = SparkSession.builder.appName("article").getOrCreate()
    train, validation = build_features(spark, source).randomSplit([0.8, 0.2])
    for rows, name in ((train, "train"), (validation, "validation")):
        pairs = rows.rdd.map(lambda row: (row.label, row.features))
        pairs.map(format_csv_line).saveAsTextFile(f"{target}/{name}")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
