"""Answers that nobody waited for, kept for a while: who asked for them comes back."""

from dataclasses import dataclass, field

_MOST = 8  # answers, of up to 5 MB
_SECONDS = 600.0


@dataclass
class Finished:
    """The last answers, by the ids of their predictions. Times: of one clock."""

    _answers: dict[str, tuple[float, bytes]] = field(default_factory=dict)

    def keep(self, identifier: str, content: bytes, now: float) -> None:
        """Keep an answer in JSON, in place of an earlier one of the same id."""
        self._answers.pop(identifier, None)
        self._answers[identifier] = (now, content)
        while len(self._answers) > _MOST:
            del self._answers[next(iter(self._answers))]

    def find(self, identifier: str, now: float) -> bytes | None:
        """Find an answer that was not kept for too long."""
        self.forget(now)
        _, content = self._answers.get(identifier, (now, None))
        return content

    def forget(self, now: float) -> None:
        """Forget those that were kept for long enough."""
        kept = self._answers.items()
        self._answers = {key: each for key, each in kept if now - each[0] < _SECONDS}
