"""Write synthetic customers as the job `churn` reads them.

The same seed gives the same rows. Cells with a comma or a quotation mark are quoted, some values
are missing, and whoever pays much, calls often and is new leaves more often.

python3 examples/jobs/generate_churn.py 1000 > churn.csv
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random

COLUMNS = [
    "customer_id", "signup", "plan", "city", "paperless", "tenure", "monthly_charge",
    "total_charge", "support_calls", "last_contact", "churned",
]  # fmt: skip
TODAY = date(2026, 11, 1)
CITIES = ["Berlin", "Lyon, Rhône", 'Aachen ("Bad Aachen")', "Porto", "Ghent, Flanders", "Graz", ""]
PLANS = {"basic": 19.0, "plus": 39.0, "pro": 79.0}  # a month
MONTH_DAYS = 30.44


def generate_rows(count: int, seed: int = 7) -> Iterator[list[str]]:
    """Yield the cells of each row, without the header."""
    random = Random(seed)  # noqa: S311  -- no secret: the same rows each time
    for number in range(count):
        yield _make_row(random, number)


def _make_row(random: Random, number: int) -> list[str]:
    plan = random.choices(list(PLANS), weights=(5, 3, 2))[0]
    signup = TODAY - timedelta(days=random.randrange(0, 3_650))
    tenure = int((TODAY - signup).days / MONTH_DAYS)
    charge = round(PLANS[plan] * random.uniform(0.8, 1.3), 2)
    calls = min(99, int(random.expovariate(0.7)))
    contact = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=random.randrange(430_000))
    chance = 0.05 + 0.06 * calls + (0.15 if tenure < 12 else 0) + charge / 1000
    return [
        f"C{number:07}",
        signup.isoformat(),
        plan,
        random.choice(CITIES),
        _leave_out(random, random.choice(["yes", "no"]), "NA"),
        str(tenure),
        f"{charge:.2f}",
        _leave_out(random, f"{charge * tenure:.2f}", ""),
        _leave_out(random, str(calls), "NA"),
        _leave_out(random, contact.strftime("%Y-%m-%dT%H:%M:%SZ"), ""),
        "yes" if random.random() < chance else "no",
    ]


def _leave_out(random: Random, value: str, missing: str) -> str:
    """Return the value, or in one of twenty cases a word for a missing one."""
    return missing if random.random() < 0.05 else value


def main() -> None:
    """Write the rows, with a header, to the standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, help="how many rows to write")
    parser.add_argument("--seed", type=int, default=7, help="other rows for another seed")
    arguments = parser.parse_args()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(generate_rows(arguments.rows, arguments.seed))


if __name__ == "__main__":
    main()
