"""Why a job is not started though its upload has come: its role, where it reads and writes, and how that lies to other jobs' places."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from grantor.core.job import LONGEST
from grantor.core.jobs.places import Place, Places
from grantor.core.problem import Fault, listed, shown

SHOWN = 3  # roles that a message lists
Arguments = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Judge:
    """Judges what one upload would start. `may_pass` are patterns of the ARNs of roles, `places` those of all jobs as far as they are known."""

    upload: str
    may_pass: frozenset[str]
    places: Sequence[Place]

    def faults(self, place: Place, role: str, arguments: Arguments) -> Iterator[Fault]:
        """All that is wrong with one start."""
        if not any(fnmatchcase(role, pattern) for pattern in self.may_pass):
            yield self._not_passed(role)
        yield from self._outside(place)
        yield from _long(place, arguments)
        yield from self._over(place)

    def _not_passed(self, role: str) -> Fault:
        known = sorted(self.may_pass)
        few = [*known[:SHOWN], "others"] if len(known) > SHOWN else known
        why = f"jobs run only as roles that the stack's parameter JobRoles names, and it names {listed(few, 'and') if few else 'none'}"
        return Fault(f"{role} may not be passed to a job", why, "add the role to JobRoles, or run the job as another")

    def _outside(self, place: Place) -> Iterator[Fault]:
        bucket = self.upload[: self.upload.index("/", len("s3://")) + 1]
        for called, uri in (("input", place.input), ("output", place.output)):
            if not uri.startswith(bucket):
                why = f"jobs read and write in the bucket of the upload, {bucket}"
                yield Fault(f"its {called} {shown(uri)} lies in another bucket", why, f"write {called}: s3://{{data_bucket}}/…")

    def _over(self, place: Place) -> Iterator[Fault]:
        if place.feeds(place):
            what = f"its output {place.output} lies over what it waits for or reads"
            yield Fault(what, "the job would start itself, again and again", "write a folder beside them as its output")
        if other := next((other for other in self.places if other != place and place.meets(other)), None):
            what = f"its output {place.output} and that of {other}, {other.output}, lie over each other"
            yield Fault(what, "their files would be mixed", "give each a folder of its own")
        if way := Places(self.places).circle(place):
            what = f"what it writes feeds {', which feeds '.join(map(str, way[1:]))}, which feeds it again"
            yield Fault(what, "each would start the next, without end", "let one of them write elsewhere")


def _long(place: Place, arguments: Arguments) -> Iterator[Fault]:
    told = {"the key of its input": _key(place.input), "the key of its output": _key(place.output).removesuffix("/")}
    for called, text in (told | {f"the argument {name}": value for name, value in arguments}).items():
        if len(text) > LONGEST:
            why = f"SageMaker passes a job no more than {LONGEST} of them"
            yield Fault(f"{called} has {len(text)} characters: {shown(text)}", why, "shorten the names in it")


def _key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]
