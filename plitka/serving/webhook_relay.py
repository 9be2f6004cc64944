"""The way of Cog's webhooks: through the gate, which follows no redirect.

Cog's client follows redirects, to any host, with the whole prediction in hand. So a webhook is
given to Cog as an address of the gate's own, on a port that only this machine reaches; the real one
stands in it, signed. What the gate gets there it sends on, once.
"""

import base64
import hashlib
import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from plitka.serving.answers import Refusal, to_response

_CALL_SECONDS = 25.0  # Cog waits for 30
_HEADERS = (
    "Content-Type",
    "Content-Length",
    "Authorization",
    "User-Agent",
    "traceparent",
    "tracestate",
)
_log = logging.getLogger(__name__)


def bypass_proxies(variables: Mapping[str, str]) -> dict[str, str]:
    """Make the environment in which Cog's client calls this machine itself, through no proxy."""
    named = variables.get("NO_PROXY") or variables.get("no_proxy")
    hosts = f"{named},127.0.0.1" if named else "127.0.0.1"
    return {**variables, "NO_PROXY": hosts, "no_proxy": hosts}


@dataclass
class WebhookRelay:
    """Takes Cog's calls and sends them on to the addresses that are signed in them.

    address: where it listens, once it does.
    """

    address: str = ""
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def make_app(self) -> web.Application:
        """Make the server that Cog calls."""
        app = web.Application()
        app.cleanup_ctx.append(self._connect)
        app.add_routes([web.post("/{signature}/{target}", self._send_on)])
        return app

    def wrap(self, webhook: str) -> str:
        """Make the address that Cog is to call in place of a webhook."""
        target = base64.urlsafe_b64encode(webhook.encode()).decode()
        return f"{self.address}/{self._sign(target)}/{target}"

    def _sign(self, target: str) -> str:
        return hmac.new(self._key, target.encode(), hashlib.sha256).hexdigest()

    async def _connect(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the client session for as long as the server runs."""
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            self._session = session
            yield

    async def _send_on(self, request: web.Request) -> web.Response:
        """Send a call on; the answer has the status of the webhook's own, and nothing else of it.

        A redirect becomes a 403, which Cog takes as final. No answer becomes a 502, after which Cog
        tries again.
        """
        target = request.match_info["target"]
        signature = request.match_info["signature"]
        if not hmac.compare_digest(self._sign(target).encode(), signature.encode()):
            return to_response(Refusal(404, ("path",), "no webhook of this gate's"))
        webhook = base64.urlsafe_b64decode(target).decode()
        headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        try:
            async with self._session.post(
                webhook, data=request.content, headers=headers, allow_redirects=False
            ) as received:
                status = received.status
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            return to_response(Refusal(502, ("webhook",), f"cannot be called: {reason}"))
        if 300 <= status < 400:
            _log.warning("a webhook at %s redirects, which is not followed", URL(webhook).authority)
            return to_response(Refusal(403, ("webhook",), "redirects are not followed"))
        return web.Response(status=status)
