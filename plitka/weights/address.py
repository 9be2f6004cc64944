"""Addresses that weights are fetched from: what they may be, and what sentences call them."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from plitka.errors import WeightsError

_SIGNED = (  # a parameter that signs an address, and those that each signing makes anew
    *((rf"x-{cloud}-signature", rf"x-{cloud}-.*") for cloud in ("amz", "goog", "oss", "tos")),
    ("q-signature", r"q-.*|x-cos-security-token"),
    (
        "signature",  # of CloudFront, and of older forms of S3, Google and OSS
        "signature|expires?|policy|key-pair-id|(aws|oss)accesskeyid|googleaccessid|security-token",
    ),
    ("sig", "sig|s[eiprtv]|s[ds]d|ss|srt|spr|sip|ses|sk[a-z]+|s[acu]oid|scid"),  # Azure
    ("__token__|__gda__|hdnts|hdnea", "__token__|__gda__|hdnts|hdnea"),  # Akamai, by itself
)


def is_address(text: str) -> bool:
    """Whether a setting names an address, of whatever scheme, and not a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://|data:", text) is not None


def describe_address(address: str) -> str:
    """The address without what may be secret: scheme, host and path alone.

    A password can hold any mark. So what stands before the last @ is left out, be it in the path;
    where an @ follows a ? that may be a password's, nothing but the scheme is named.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return re.split(r"[?#]", address, maxsplit=1)[0][:300]
    bare = re.split(r"[?#]", rest, maxsplit=1)[0]
    if "@" in rest and "@" not in bare and not re.match(r"[\w.-]+(:\d+)?/|\[", bare):
        return f"{scheme}://…"
    return f"{scheme}://{bare.rpartition('@')[2]}"[:300]


def refuse_address(address: str, given: str) -> None:
    """Raise WeightsError unless an address is https. given: the one that the operator wrote."""
    where = describe_address(given)
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port
        address.encode()
        if host and host.isascii():
            host.encode("idna")
    except ValueError:
        raise make_address_error(given, address == given) from None
    redirect = "" if address == given else ", to which it redirects"
    if parts.scheme.lower() != "https":
        raise WeightsError(
            f"{where}: {parts.scheme or 'no scheme'}{redirect} is refused, as weights are fetched"
            " by https alone; give an https address, or download the file and give its path"
        )
    if parts.username is not None or parts.password is not None:
        raise WeightsError(
            f"{where}: the address{redirect} holds a user or a password; give a signed address,"
            " or download the file and give its path"
        )
    if not host:
        raise WeightsError(f"{where}: names no host; give an https address of a file")


def make_address_error(given: str, is_given: bool) -> WeightsError:
    """is_given: whether it is the operator's own address that is none."""
    if is_given:
        verdict = "not an address; give an https address of a file"
    else:
        verdict = "redirects to what is not an address; give the file's own https address"
    return WeightsError(f"{describe_address(given)}: {verdict}")


def make_key(address: str) -> str:
    """What stays of an address where it is signed anew: it names the file."""
    parts = urlsplit(address)
    named = parse_qsl(parts.query, keep_blank_values=True)
    for signature, made in _SIGNED:
        if any(re.fullmatch(signature, name, re.IGNORECASE) for name, _ in named):
            named = [pair for pair in named if not re.fullmatch(made, pair[0], re.IGNORECASE)]
    return f"{parts.netloc.lower()}{parts.path}?{urlencode(sorted(named))}"
