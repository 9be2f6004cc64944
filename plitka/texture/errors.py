"""What can be wrong with the texture that is asked for."""


class TextureError(ValueError):
    """A texture that cannot be made; the message says what is allowed."""
