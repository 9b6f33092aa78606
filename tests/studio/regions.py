"""The Spark image of every Region that the SDK knows, as JSON; a program for a subprocess, like
sent.py.
"""

import json
import sys

from sagemaker.core import image_uris

regions = image_uris.config_for_framework("spark")["processing"]["versions"]["3.5"]["registries"]
pinned = {
    "version": "3.5",
    "py_version": "py312",
    "container_version": "v1.3",
    "instance_type": "ml.m5.xlarge",
}
sys.stdout.write(
    json.dumps({region: image_uris.retrieve("spark", region, **pinned) for region in regions})
)
