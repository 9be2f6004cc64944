"""Errors that several rooms raise and the faces show: each message says what to do."""


class EngineError(RuntimeError):
    """The engine cannot be had; the message says what to do about it."""


class WeightsError(EngineError):
    """A file that is missing or is not what it should be; the message says what to do."""
