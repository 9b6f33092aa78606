"""The article's pipeline, rebuilt from its text.

Three stages of Spark ML, a random split, and lines written by Python from an RDD.

python article_job.py abalone.csv out: out/train and out/validation are written.
"""

import sys
from typing import Any

from pyspark.ml import Pipeline
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.sql import DataFrame, SparkSession

MEASURES = [
    "length",
    "diameter",
    "height",
    "whole_weight",
    "shucked_weight",
    "viscera_weight",
    "shell_weight",
]
SCHEMA = ", ".join(["sex string", *(f"{name} double" for name in MEASURES), "rings double"])


def build_features(spark: SparkSession, source: str) -> DataFrame:
    """Read the rows, with `rings` and the vector `features`."""
    read = spark.read.csv(source, schema=SCHEMA, header=False)
    indexer = StringIndexer(inputCol="sex", outputCol="indexed_sex")
    encoder = OneHotEncoder(inputCol="indexed_sex", outputCol="sex_vec")
    assembler = VectorAssembler(inputCols=["sex_vec", *MEASURES], outputCol="features")
    return Pipeline(stages=[indexer, encoder, assembler]).fit(read).transform(read)


def format_csv_line(data: Any) -> str:
    """The label and features of a row, as the article writes them."""
    return str(data[0]) + "," + ",".join(str(number) for number in data[1])


def main(source: str, target: str) -> None:
    """Write target/train and target/validation."""
    spark = SparkSession.builder.appName("article").getOrCreate()
    committer = "org.apache.hadoop.mapred.FileOutputCommitter"
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001  -- the article's
    hadoop.set("mapred.output.committer.class", committer)
    train, validation = build_features(spark, source).randomSplit([0.8, 0.2])
    for rows, name in ((train, "train"), (validation, "validation")):
        pairs = rows.rdd.map(lambda row: (row.rings, row.features))
        pairs.map(format_csv_line).saveAsTextFile(f"{target}/{name}")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
