"""A contract of mixed types for tests: customers of a shop, and who has left."""

import copy
from typing import Any

from framework.contract import Contract
from framework.descriptor import Descriptor
from framework.parse_contract import parse_contract

SHOP_VALUES: dict[str, Any] = {
    "name": "shop",
    "title": "Customers",
    "path": "shop.csv",
    "dialect": {"header": True},
    "schema": {
        "fields": [
            {"name": "customer", "type": "string", "constraints": {"required": True}},
            {
                "name": "plan",
                "type": "string",
                "constraints": {"required": True, "enum": ["basic", "plus", "pro"]},
            },
            {"name": "months", "type": "integer", "constraints": {"required": True, "minimum": 0, "maximum": 600}},
            {"name": "charge", "type": "number", "constraints": {"minimum": 0, "maximum": 1000}},
            {"name": "signup", "type": "date"},
            {"name": "left", "type": "boolean", "constraints": {"required": True}},
        ]
    },
    "grantor": {
        "version": "1",
        "label": "left",
        "features": [
            {"one_hot": "plan"}, "months", "charge", {"log": "charge"}, {"month": "signup"},
        ],
    },
}  # fmt: skip


def parse(*, has_script: bool = False, **changes: Any) -> Contract:
    """Parse the contract with other values at the top; None removes one."""
    return parse_contract(
        Descriptor("shop/contract.yaml", change(**changes)), has_script=has_script
    )


def change(**changes: Any) -> dict[str, Any]:
    values = copy.deepcopy(SHOP_VALUES) | changes
    return {key: value for key, value in values.items() if value is not None}


SHOP = parse()


def build_shop_line(number: int) -> str:
    """Build a row that fits the contract; each tenth has no charge."""
    plan = ("basic", "plus", "pro")[number % 3]
    charge = "" if number % 10 == 0 else f"{number / 7:.2f}"
    left = ("true", "false")[number % 2]
    return f'"Customer ""{number}"", Ltd.",{plan},{number % 60},{charge},2024-0{number % 9 + 1}-15,{left}'
