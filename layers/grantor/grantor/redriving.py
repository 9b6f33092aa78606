"""What lies in a dead letter queue rings again, but for messages that are no event: nobody can ever answer these."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.aside import each
from grantor.aws.dead_letters import DeadLetters, Letter
from grantor.aws.errors import NotYet
from grantor.core.event import event_in

Event = Mapping[str, Any]


@dataclass
class Redriving:
    """One dead letter queue on its way back. `about` says what an event is about; `go_on` is asked before each ten messages.

    Where `move` is False everything is only looked at, and lies there afterwards as before.
    """

    queue: DeadLetters
    about: Callable[[Event], str]
    go_on: Callable[[], bool]
    move: bool = True
    rung: Counter[str] = field(default_factory=Counter)  # what the events were about, and how often
    oldest: float | None = None  # when the first of them was sent, in seconds since 1970
    strange: dict[str, Letter] = field(default_factory=dict)  # what is no event, by its id
    _kept: dict[str, Letter] = field(default_factory=dict)  # all that stays there, by its id

    def all(self) -> None:
        """Until nothing new lies there, or `go_on` says no. A call for each ten messages, and two for each that goes back.

        Raises NotYet or ClientError. Then, too, what `rung` counts has gone back, and all the rest lies there.
        """
        try:
            while self.go_on() and (letters := self._new()):
                self._take(letters)
        finally:
            each(self.queue.leave, self._kept.values())

    def _new(self) -> list[Letter]:
        """The next ones, without those that were held so long that they are seen again."""
        letters = self.queue.some()
        self._kept |= {letter.id: letter for letter in letters if letter.id in self._kept}  # the last receipt is the valid one
        return [letter for letter in letters if letter.id not in self._kept]

    def _take(self, letters: Sequence[Letter]) -> None:
        events = {letter.id: event for letter in letters if (event := event_in(letter.body)) is not None}
        self.strange |= {letter.id: letter for letter in letters if letter.id not in events}
        known = [letter for letter in letters if letter.id in events]
        refusals = each(self._send_back, known) if self.move else [None] * len(known)
        gone = [letter for letter, refusal in zip(known, refusals, strict=True) if refusal is None]
        self.rung.update(self.about(events[letter.id]) for letter in gone)
        self.oldest = min([*(letter.sent for letter in gone), *filter(None, [self.oldest])], default=None)
        self._kept |= {letter.id: letter for letter in letters if not self.move or letter not in gone}
        for refusal in filter(None, refusals):
            raise refusal

    def _send_back(self, letter: Letter) -> Exception | None:
        """None once it has gone; else why it has not, so that the others of its ten still can."""
        try:
            self.queue.send_back(letter)
        except (NotYet, ClientError) as refusal:
            return refusal
        return None
