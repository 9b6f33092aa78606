"""polars has boto3 get its credentials, which runs the profile's command again when they end."""

import sys

import polars as pl

folder = sys.argv[1]  # s3://BUCKET/FOLDER/

table = pl.scan_csv(f"{folder}in.csv")
table.sink_parquet(f"{folder}polars.parquet")
print(pl.read_parquet(f"{folder}polars.parquet")["rings"].sum())
