"""The entry point of the abalone job, which spark-submit runs.

The package `framework` comes with it, as a zip in --py-files.

spark-submit --py-files framework.zip preprocess.py --account_id A
  --s3_input_bucket B --s3_input_key_prefix UserA/abalone.csv
  --s3_output_bucket B --s3_output_key_prefix UserA/output
"""

import sys

from framework.job import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
