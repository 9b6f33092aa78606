"""What is wrong with a policy file, said so that its owner can mend it."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where it stands (lines and columns from 1), what it is, why it matters, what to write instead.

    >>> print(Problem("policy/a.yaml", 3, 5, "unknown key 'alow'", "a rule has name, to, on, allow", "write allow"))
    policy/a.yaml:3:5: unknown key 'alow': a rule has name, to, on, allow; write allow
    """

    file: str
    line: int
    column: int
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}: {self.why}; {self.remedy}"
