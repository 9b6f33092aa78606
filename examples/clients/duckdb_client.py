"""DuckDB with its extension aws, which runs the profile's command again when S3 refuses a read."""

import os
import sys

import duckdb

folder = sys.argv[1]  # s3://BUCKET/FOLDER/

# On AWS, leave this out; only the sandbox has an endpoint of its own.
host = os.environ.get("AWS_ENDPOINT_URL", "").removeprefix("http://")
place = f", ENDPOINT '{host}', USE_SSL false, URL_STYLE 'path'" if host else ""

db = duckdb.connect()
db.execute(
    f"CREATE SECRET (TYPE s3, PROVIDER credential_chain, CHAIN process, REFRESH auto{place})"
)
db.execute(f"COPY (FROM '{folder}in.csv') TO '{folder}duckdb.parquet'")
print(db.read_parquet(f"{folder}duckdb.parquet").sum("rings").fetchone()[0])
