"""pyarrow with AWS's SDK for C++, which runs the profile's command again when credentials end."""

import os
import sys

import pyarrow.dataset as ds
from pyarrow.fs import S3FileSystem

folder = sys.argv[1].removeprefix("s3://")  # BUCKET/FOLDER/

# On AWS, S3FileSystem() is enough; only the sandbox has an endpoint of its own.
s3 = S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"))
table = ds.dataset(f"{folder}in.csv", filesystem=s3, format="csv").to_table()
# create_dir=True looks for the bucket first, which a grant for a folder does not allow.
ds.write_dataset(table, f"{folder}pyarrow", filesystem=s3, format="parquet", create_dir=False)
print(sum(ds.dataset(f"{folder}pyarrow", filesystem=s3).to_table()["rings"].to_pylist()))
