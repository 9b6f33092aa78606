"""Lines of abalone.csv for tests that count them."""

LINE = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


def rows(number: int) -> bytes:
    """Lines that differ, of which the same fall to train in every run."""
    return "".join(LINE.replace("0.455", f"0.{at + 100}") for at in range(number)).encode()
