"""Photographs: the page's recipe through the sdxl engine, in this process or on a server.

Where is settled by the environment alone, when the program starts. The page is never told a
token, nor where it came from.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from plitka.designer.backends.base import Backend

SETTING = "PLITKA_PHOTOGRAPH"
TOKEN = "PLITKA_PHOTOGRAPH_TOKEN"
REPLICATE_TOKEN = "REPLICATE_API_TOKEN"
REPLICATE_ADDRESS = "REPLICATE_API_BASE_URL"  # as Replicate's own client has it
_MOST_BYTES = 32 * 2**20  # of one picture


class SettingError(OSError):
    """The environment asks for what there is not; the message names the variable."""


def select_backend(env: Mapping[str, str] = os.environ) -> Backend:
    """The photographer that PLITKA_PHOTOGRAPH names: sdxl, a Cog server, or a deployment."""
    where = env.get(SETTING, "").strip() or "sdxl"
    if where == "sdxl":
        from plitka.designer.backends.local import LocalBackend

        return LocalBackend()
    deployment = re.fullmatch(r"replicate:([\w.-]+)/([\w.-]+)", where)
    if deployment:
        from plitka.designer.backends.replicate import ReplicateBackend

        token = env.get(REPLICATE_TOKEN, "").strip()
        if not token:
            raise SettingError(
                f"{SETTING} names a deployment on Replicate, so put its token into"
                f" {REPLICATE_TOKEN}"
            )
        return ReplicateBackend(deployment[1], deployment[2], token, env.get(REPLICATE_ADDRESS))
    if urlsplit(where).scheme in {"http", "https"} and urlsplit(where).hostname:
        from plitka.designer.backends.cog_server import CogServerBackend

        return CogServerBackend(where, env.get(TOKEN, "").strip() or None)
    # What it holds is not shown: an address may have a password in it.
    raise SettingError(
        f'{SETTING}: allowed are "sdxl" (in this program, the default), the address of a Cog server'
        ' ("http://127.0.0.1:5000"), or "replicate:OWNER/DEPLOYMENT"'
    )
