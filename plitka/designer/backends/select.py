"""Which backend makes the photographs: the sdxl engine here, a Cog server, or Replicate.

The settings alone decide, when the program starts. Tokens never reach the page.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from plitka.designer.backends.base import Backend
from plitka.settings import PHOTOGRAPHER, REPLICATE_TOKEN, Settings


class SettingError(OSError):
    """A setting that names no backend, or lacks its token; the message names the variable."""


def select_backend(settings: Settings, weights: Path | str | None = None) -> Backend:
    """Select the backend that the settings name. Raises SettingError.

    weights: as setup() takes them, for the sdxl engine in this program.
    """
    chosen = settings.photographer
    if chosen.backend == "sdxl":
        from plitka.designer.backends.local import LocalBackend

        return LocalBackend(settings, weights)
    deployment = re.fullmatch(r"replicate:([\w.-]+)/([\w.-]+)", chosen.backend)
    if deployment:
        from plitka.designer.backends.replicate import ReplicateBackend

        token, address = chosen.replicate_token, chosen.replicate_address
        if not token:
            raise SettingError(
                f"{PHOTOGRAPHER} names a deployment on Replicate, so put its token into"
                f" {REPLICATE_TOKEN}"
            )
        return ReplicateBackend(deployment[1], deployment[2], token, address)
    parts = urlsplit(chosen.backend)
    if parts.scheme in {"http", "https"} and parts.hostname:
        from plitka.designer.backends.cog_server import CogServerBackend

        return CogServerBackend(chosen.backend, chosen.token)
    # The value is not shown: an address may contain a password.
    raise SettingError(
        f'{PHOTOGRAPHER}: allowed are "sdxl" (in this program, the default), the address of a Cog'
        ' server ("http://127.0.0.1:5000"), or "replicate:OWNER/DEPLOYMENT"'
    )
