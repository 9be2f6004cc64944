"""What a request for a prediction, or a training, may hold, before Cog sees it."""

import json
import math
import re
import secrets
import zlib
from collections.abc import Collection
from typing import Any, NoReturn, TypeAlias

from plitka.serving.answers import Refusal
from plitka.serving.unknown_inputs import note_unknown
from plitka.serving.webhook_address import (
    ALLOWED_ADDRESS,
    AddressError,
    check_webhook,
    parse_address,
)
from plitka.serving.work_kind import PREDICTIONS, WorkKind

Json: TypeAlias = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID_ALLOWED = "1 to 128 letters, digits, dots, hyphens and underscores, a letter or digit first"
_KNOWN = ("id", "input", "context", "webhook", "webhook_events_filter")  # all that Cog reads
EVENTS = ("start", "output", "logs", "completed")
_GZIP, _ZLIB = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


def decode_content(content: bytes, encoding: str, most: int = PREDICTIONS.max_body) -> bytes:
    """Decode a body by its Content-Encoding, to `most` bytes. Raises Refusal."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return content
    if name not in _WINDOWS:
        message = f"got {name[:40]!r}; allowed: gzip, deflate, identity"
        raise Refusal(415, ("header", "Content-Encoding"), message)
    decoder = zlib.decompressobj(_WINDOWS[name])
    try:
        decoded = decoder.decompress(content, most + 1)
    except zlib.error:
        raise Refusal(400, ("body",), f"damaged: it cannot be decoded as {name}") from None
    if len(decoded) > most:
        raise refuse_size(most)
    if not decoder.eof or decoder.unused_data:
        raise Refusal(400, ("body",), f"not one whole {name} stream: it is cut, or bytes follow it")
    return decoded


def refuse_size(most: int) -> Refusal:
    """Make the refusal of a body that is too large."""
    return Refusal(413, ("body",), f"too large; allowed: up to {most} bytes")


def check_request(
    content: bytes,
    identifier: str | None,
    webhook_hosts: Collection[str],
    kind: WorkKind = PREDICTIONS,
    file_hosts: Collection[str] = (),
) -> Json:
    """Check a request; returns its body, with an id, and the id in its context.

    The body has the fields that Cog knows and no others, and addresses in their normal form.

    identifier: the id in the address of a PUT. webhook_hosts: that may be called, and file_hosts:
    from which files may be fetched, in their normal form. Raises Refusal.
    """
    received = _parse_object(content, kind)
    if "output_file_prefix" in received:
        message = "not taken; start the gate with --upload-url to have pictures uploaded"
        raise Refusal(422, ("body", "output_file_prefix"), message)
    body = {name: received[name] for name in _KNOWN if received.get(name) is not None}
    chosen = body.get("id")
    if identifier is not None:
        check_identifier(identifier, kind, kind.place)
        if chosen is not None and chosen != identifier:
            raise Refusal(422, ("body", "id"), "another id than the one in the address")
        chosen = identifier
    body["id"] = check_identifier(chosen, kind)
    given = body.get("input", {})
    if not isinstance(given, dict):
        raise Refusal(422, ("body", "input"), f"allowed: an object like {kind.example}")
    for name in kind.files:
        if given.get(name) is not None:
            given[name] = _check_file(given[name], name, file_hosts)
    if "webhook" in body:
        body["webhook"] = _check_webhook(body["webhook"], webhook_hosts)
    if "webhook_events_filter" in body:
        _check_events(body["webhook_events_filter"])
    context = body.get("context") or {}
    if not isinstance(context, dict) or not all(isinstance(v, str) for v in context.values()):
        raise Refusal(422, ("body", "context"), "allowed: an object of texts")
    if kind is PREDICTIONS:
        context = note_unknown(context, given)
    body["context"] = {**context, "prediction_id": body["id"]}
    return body


def check_identifier(
    value: object, kind: WorkKind = PREDICTIONS, place: tuple[str, ...] = ("body", "id")
) -> str:
    """Return the id of a prediction or training, a new one for None.

    Raises Refusal, with the place of it.
    """
    if value is None:
        return f"{kind.prefix}_{secrets.token_hex(8)}"
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise Refusal(422, place, f"allowed: {_ID_ALLOWED}")


def _parse_object(content: bytes, kind: WorkKind) -> Json:
    """Parse a JSON object. Raises Refusal."""
    try:
        body = json.loads(content, parse_constant=_refuse_constant, parse_float=_read_float)
    except (ValueError, RecursionError) as fault:
        reason = "nested too deeply" if isinstance(fault, RecursionError) else str(fault)
        raise Refusal(400, ("body",), f"not JSON: {reason}") from None
    if not isinstance(body, dict):
        raise Refusal(422, ("body",), f"allowed: an object like {kind.body}")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _read_float(text: str) -> float:
    """Read a number. Raises ValueError for one that would be handed on as Infinity."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _check_webhook(value: object, hosts: Collection[str]) -> str:
    """Return a webhook in its normal form. Raises Refusal."""
    try:
        if not isinstance(value, str):
            raise AddressError(ALLOWED_ADDRESS)
        return check_webhook(value, hosts)
    except AddressError as fault:
        raise Refusal(422, ("body", "webhook"), str(fault)) from None


def _check_file(value: object, name: str, hosts: Collection[str]) -> str:
    """Return a data: URI as it is, an address in its normal form. Raises Refusal.

    Cog would take a plain text as a file of its own machine, and fetch from any address.
    """
    place = ("body", "input", name)
    if not isinstance(value, str):
        raise Refusal(422, place, "allowed: a data: URI, or an address")
    if value[:5].lower() == "data:":
        return value
    try:
        address = parse_address(value)
    except AddressError as fault:
        raise Refusal(422, place, f"no data: URI and no address; {fault}") from None
    if address.host not in hosts:
        named = ", ".join(sorted(hosts)) or "none; name them with --images-host"
        message = f"this server fetches nothing from {address.host}; hosts that it does: {named}"
        raise Refusal(422, place, message)
    return str(address)


def _check_events(value: object) -> None:
    """Raise Refusal for what is no list of events."""
    if not isinstance(value, list) or not all(isinstance(v, str) and v in EVENTS for v in value):
        message = f"allowed: a list of {', '.join(EVENTS)}"
        raise Refusal(422, ("body", "webhook_events_filter"), message)


def check_texts(given: Json, kind: WorkKind) -> None:
    """Raise Refusal for an input that has to be a text and is none: Cog would say so after a wait.

    given: the input of a request that was checked.
    """
    for name in kind.texts:
        if not isinstance(given.get(name), str):
            got = f"got {_name_type(given[name])}" if name in given else "is missing"
            message = f"{got}; allowed: a text that holds the request as JSON, as in {kind.body}"
            raise Refusal(422, ("body", "input", name), message)


def _name_type(value: object) -> str:
    """Name the type of a value of JSON as JSON does."""
    names = {dict: "an object", list: "an array", bool: json.dumps(value), type(None): "null"}
    return names.get(type(value), "a number")
