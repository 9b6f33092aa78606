"""Ten thousand uploads and five hundred new profiles at once, through the stack as it is deployed: how many runs, how soon, none lost."""

from benchmarks.figures import Figure
from benchmarks.storm import PROFILES, UPLOADS, Storm
from demo.cast import Cast

RUNS, FIRST = 20, 2.0  # at most so many runs, and so many seconds from the first event to the first grant


def measure(cast: Cast) -> list[Figure]:
    """One storm. Before it nothing rings, and nobody has a grant but by the stack's own policy file."""
    storm = Storm(cast)
    storm.prepare()
    before = storm.grants().keys()
    begun = storm.send()
    rested = storm.rest()
    made = {key: at - begun for key, at in storm.grants().items() if key not in before}
    lines, calls = storm.lines(begun), storm.calls()
    bells = UPLOADS + PROFILES
    return [
        Figure("load: wanted grants missing in the end", len(storm.wanted - made.keys()), "grants", 0),
        Figure("load: unwanted grants in the end", len(made.keys() - storm.wanted), "grants", 0),
        Figure("load: bells among the dead letters", storm.waiting("DeadBells"), "bells", 0),
        Figure(f"load: runs for {bells:,} bells", sum('"message":"done"' in line for line in lines), "runs", RUNS),
        Figure("load: first event to first grant", min(made.values()), "s", FIRST),
        Figure("load: first event to last bell put", storm.sent - begun, "s"),
        Figure("load: first event to last grant", max(made.values()), "s"),
        Figure("load: first event to rest", rested - begun, "s"),
        Figure("load: invocations", sum(line.startswith("REPORT ") for line in lines), "calls"),
        *(Figure(f"load: calls to {name}", calls[service], "calls") for service, name in SERVICES.items()),
    ]


SERVICES = {"dynamodb": "DynamoDB", "s3control": "Access Grants", "sagemaker": "Studio", "s3": "S3", "events": "EventBridge"}
