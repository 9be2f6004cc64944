"""The way of Cog's webhooks: through the gate, which follows no redirect.

Cog's client follows redirects, to any host, with the whole prediction in hand. So a webhook is
given to Cog as an address of the gate's own, on a port that only this machine reaches; the real one
stands in it, signed. What the gate gets there it sends on, once, unless it would come back.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from plitka.serving import own_ports
from plitka.serving.answers import Refusal, to_response
from plitka.serving.proxies import Proxies

_CALL_SECONDS = 25.0  # Cog waits for 30
_QUIET_SECONDS = 0.5
_MOST_CALLS = 12  # as Cog's own
_AGAIN = (429, 500, 502, 503, 504)  # answers after which it is called again
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 10.0  # seconds between two calls
_HEADERS = (
    "Content-Type",
    "Content-Length",
    "Authorization",
    "User-Agent",
    "traceparent",
    "tracestate",
)
_log = logging.getLogger(__name__)


@dataclass
class WebhookRelay:
    """Takes Cog's calls and sends them on to the addresses that are signed in them.

    proxies: by which they are called. address: where it listens, once it does. own_ports: of the
    gate, of Cog's server and of its own, which it does not call.
    """

    proxies: Proxies = field(default_factory=Proxies)
    address: str = ""
    own_ports: Collection[int] = ()
    _calls: int = 0  # that are on their way
    _last: float = 0.0  # when one was, by the clock of the event loop
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

    async def check(self, webhook: str) -> None:
        """Raise Refusal for a webhook that would come back; its name may lead elsewhere later."""
        url = URL(webhook, encoded=True)
        if await self._leads_back(url):
            message = f"{url.authority} leads back to this server, which calls none of its ports"
            raise Refusal(422, ("body", "webhook"), message)

    async def is_quiet(self) -> bool:
        """Whether no call is on its way, nor was a moment ago."""
        now = asyncio.get_running_loop().time()
        return not self._calls and now - self._last > _QUIET_SECONDS

    def _sign(self, target: str) -> str:
        return hmac.new(self._key, target.encode(), hashlib.sha256).hexdigest()

    async def _connect(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the client session for as long as the server runs."""
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        connector = aiohttp.TCPConnector(
            limit=0, socket_factory=lambda place: own_ports.make_socket(place, self.own_ports)
        )
        # Without trust_env: it would send passwords of ~/.netrc to whoever is called.
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            self._session = session
            yield

    async def _send_on(self, request: web.Request) -> web.Response:
        """Send a call on; the answer has the status of the webhook's own, and nothing else of it.

        A redirect becomes a 403, which Cog takes as final, and so does an address of this server's
        own. No answer becomes a 502, after which Cog tries again.
        """
        self._calls += 1
        try:
            return await self._call(request)
        finally:
            self._calls -= 1
            self._last = asyncio.get_running_loop().time()

    async def _call(self, request: web.Request) -> web.Response:
        target = request.match_info["target"]
        signature = request.match_info["signature"]
        if not hmac.compare_digest(self._sign(target).encode(), signature.encode()):
            return to_response(Refusal(404, ("path",), "no webhook of this gate's"))
        webhook = URL(base64.urlsafe_b64decode(target).decode(), encoded=True)
        headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        return await self._deliver(webhook, request.content, headers)

    async def tell(self, webhook: str, body: object, calls: int = _MOST_CALLS) -> None:
        """Call a webhook of a prediction that Cog does not have, as often as Cog would."""
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        self._calls += 1
        try:
            for call in range(calls):
                answer = await self._deliver(URL(webhook, encoded=True), content, headers)
                if answer.status not in _AGAIN:
                    return
                await asyncio.sleep(min(_FIRST_PAUSE * 2**call, _LAST_PAUSE))
        finally:
            self._calls -= 1
            self._last = asyncio.get_running_loop().time()

    async def _leads_back(self, webhook: URL) -> bool:
        return await own_ports.leads_back(webhook.host or "", webhook.port or 0, self.own_ports)

    async def _deliver(
        self, webhook: URL, content: bytes | aiohttp.StreamReader, headers: dict[str, str]
    ) -> web.Response:
        """Call a webhook once, unless it would come back."""
        if await self._leads_back(webhook):
            _log.warning("a webhook at %s leads back to this server", webhook.authority)
            return to_response(Refusal(403, ("webhook",), "leads back to this server"))
        proxy = self.proxies.find(webhook)
        try:
            async with self._session.post(
                webhook,
                data=content,
                headers=headers,
                allow_redirects=False,
                proxy=proxy.address if proxy else None,
                proxy_auth=proxy.auth if proxy else None,
            ) as received:
                status = received.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error) or "no answer in time"
            return to_response(Refusal(502, ("webhook",), f"cannot be called: {reason}"))
        if 300 <= status < 400:
            _log.warning("a webhook at %s redirects, which is not followed", webhook.authority)
            return to_response(Refusal(403, ("webhook",), "redirects are not followed"))
        return web.Response(status=status)
