#!/bin/sh
# The AWS CLI runs the profile's command in each call: sh aws_cli.sh s3://BUCKET/FOLDER/
set -eu
aws s3 cp "$1in.csv" local.csv
aws s3 cp local.csv "$1aws-cli.csv"
aws s3 ls "$1aws-cli"
