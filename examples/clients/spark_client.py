"""Spark's S3A asks S3 Access Grants itself, for READ or WRITE as a request needs: no profile.

Hadoop 3.5, EMR and SageMaker's Spark image know these properties. An older Hadoop ignores them.
"""

import sys

from pyspark.sql import SparkSession

folder = sys.argv[1].replace("s3://", "s3a://")  # s3://BUCKET/FOLDER/

spark = (
    SparkSession.builder.config("spark.hadoop.fs.s3a.access.grants.enabled", "true")
    # With true, a refusal would be answered with the role's own permissions.
    .config("spark.hadoop.fs.s3a.access.grants.fallback.to.iam", "false")
    .getOrCreate()
)
table = spark.read.csv(f"{folder}in.csv", header=True, inferSchema=True)
table.write.mode("overwrite").parquet(f"{folder}spark.parquet")
print(spark.read.parquet(f"{folder}spark.parquet").groupBy().sum("rings").first()[0])
