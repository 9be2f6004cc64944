"""What can be wrong with a bank."""

from plitka.errors import EngineError


class BankError(EngineError):
    """A bank is not there, is damaged or cannot be written; the message says what to do."""
