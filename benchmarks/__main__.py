"""`make bench`: every figure, printed and written to build/bench; ends with 1 if a bound does not hold."""

import sys

from benchmarks import event_to_grant
from benchmarks.figures import table, write
from demo.__main__ import free_port
from demo.desk import Desk
from demo.story import deploy, drop_policy


def main() -> int:
    desk = Desk.up(free_port())
    try:
        cast = deploy(desk, None)
        drop_policy(cast)
        figures = event_to_grant.measure(desk.client, cast.outputs, samples=15)
    finally:
        desk.down()
    print(f"\n{table(figures)}\n\nwritten to {write('event_to_grant', figures)}")
    return 0 if all(row.holds for row in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
