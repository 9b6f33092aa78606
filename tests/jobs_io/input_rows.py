"""Lines of abalone.csv for tests that count them."""

LINE = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


def build_rows(number: int) -> bytes:
    """Build lines that differ. The same ones are for training in every run."""
    return "".join(LINE.replace("0.455", f"0.{at + 100}") for at in range(number)).encode()
