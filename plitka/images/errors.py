"""What goes wrong with picture files."""


class PictureError(OSError):
    """A file that cannot be read as a picture, or not be written; the message names it."""


class Unreadable(Exception):
    """Why content is not read as a picture: a phrase that goes behind the file's name."""
