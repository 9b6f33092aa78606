"""Validates data by a contract with Frictionless's own tool, in the environment that
`make test-contracts` pins for it: `python validator.py CONTRACT DATA` prints JSON.

`contract` has what is wrong with the contract, `lines` the numbers of the lines that are refused,
counted from 1.
"""

import json
import sys
from pathlib import Path

import yaml
from frictionless import FrictionlessException, Resource


def main() -> None:
    contract, data = map(Path, sys.argv[1:])
    try:
        described = yaml.safe_load(contract.read_text())
        resource = Resource.from_descriptor(
            {**described, "path": data.name}, basepath=str(data.parent)
        )
    except FrictionlessException as refused:
        faults = [str(one) for one in refused.reasons] or [str(refused)]
        json.dump({"contract": faults, "lines": []}, sys.stdout)
        return
    report = resource.validate()
    found = report.flatten(["rowNumber", "message"])
    messages = [message for number, message in found if number is None]
    lines = sorted({number for number, _ in found if number is not None})
    json.dump({"contract": messages, "lines": lines}, sys.stdout)


if __name__ == "__main__":
    main()
