"""Which backend makes the photographs: the sdxl engine here, a Cog server, or Replicate.

The settings alone decide, when the program starts. Tokens never reach the page.
"""

import re
from pathlib import Path

from plitka.designer.backends.address import SettingError, parse_server
from plitka.designer.backends.base import Backend
from plitka.settings import (
    PHOTOGRAPHER,
    PHOTOGRAPHER_TOKEN,
    REPLICATE_ADDRESS,
    REPLICATE_TOKEN,
    PhotographerSettings,
    Settings,
)

_DEPLOYMENT = re.compile(r"replicate:([a-z0-9][\w.-]*)/([a-z0-9][\w.-]*)", re.ASCII | re.IGNORECASE)
_WEB = re.compile(r"https?:", re.IGNORECASE)


def select_backend(settings: Settings, weights: Path | str | None = None) -> Backend:
    """Select the backend that the settings name. Raises SettingError.

    weights: as setup() takes them, for the sdxl engine in this program.
    """
    chosen = settings.photographer
    if chosen.backend == "sdxl":
        from plitka.designer.backends.local import LocalBackend

        return LocalBackend(settings, weights)
    if deployment := _DEPLOYMENT.fullmatch(chosen.backend):
        return _select_deployment(deployment[1], deployment[2], chosen)
    if _WEB.match(chosen.backend):
        from plitka.designer.backends import http
        from plitka.designer.backends.cog_server import CogServerBackend
        from plitka.designer.backends.confidential import ConfidentialBackend

        token = chosen.token or ""
        server = parse_server(chosen.backend, PHOTOGRAPHER, token, PHOTOGRAPHER_TOKEN)
        http.check_environment(server)
        return ConfidentialBackend(CogServerBackend(server), server)
    # The value is not shown: an address may contain a password.
    raise SettingError(
        f'{PHOTOGRAPHER}: allowed are "sdxl" (in this program, the default), the address of a Cog'
        ' server ("http://127.0.0.1:5000"), or "replicate:OWNER/DEPLOYMENT"'
    )


def _select_deployment(owner: str, name: str, chosen: PhotographerSettings) -> Backend:
    from plitka.designer.backends import http
    from plitka.designer.backends.confidential import ConfidentialBackend
    from plitka.designer.backends.replicate import ADDRESS, ReplicateBackend

    if not chosen.replicate_token:
        raise SettingError(
            f"{PHOTOGRAPHER} names a deployment on Replicate, so put its token into"
            f" {REPLICATE_TOKEN}"
        )
    address = chosen.replicate_address or ADDRESS
    server = parse_server(address, REPLICATE_ADDRESS, chosen.replicate_token, REPLICATE_TOKEN)
    http.check_environment(server)
    return ConfidentialBackend(ReplicateBackend(owner, name, server), server)
