"""Write synthetic orders as the job `orders` reads them: lines of JSON.

The same seed gives the same lines.

python3 examples/jobs/generate_orders.py 1000 > orders.jsonl
"""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

CUSTOMERS_SHARE = 4  # orders for each customer, on the average
CHANNELS = ["shop", "web", "web", "phone", None]


def generate_orders(count: int, seed: int = 7) -> Iterator[str]:
    """Yield a line for each order."""
    random = Random(seed)  # noqa: S311  -- no secret: the same lines each time
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        ordered = begin + timedelta(minutes=random.randrange(480_000))
        yield json.dumps(
            {
                "order_id": f"O{number:07}",
                "customer_id": f"C{random.randrange(max(1, count // CUSTOMERS_SHARE)):07}",
                "ordered": ordered.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "amount": round(random.lognormvariate(3, 1), 2),
                "channel": random.choice(CHANNELS),
            }
        )


def main() -> None:
    """Write the lines to the standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("orders", type=int, help="how many orders to write")
    parser.add_argument("--seed", type=int, default=7, help="other orders for another seed")
    arguments = parser.parse_args()
    for line in generate_orders(arguments.orders, arguments.seed):
        print(line)


if __name__ == "__main__":
    main()
