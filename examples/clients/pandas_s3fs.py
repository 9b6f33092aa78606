"""pandas with s3fs, which runs the profile's command again before its credentials end."""

import sys

import pandas as pd

folder = sys.argv[1]  # s3://BUCKET/FOLDER/

table = pd.read_csv(f"{folder}in.csv")
table.to_parquet(f"{folder}pandas.parquet")
print(pd.read_parquet(f"{folder}pandas.parquet")["rings"].sum())
