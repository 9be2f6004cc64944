"""Redaction: secrets are hidden in texts, as they are and as programs write them.

A secret that is known is found in plain text, percent-encoded, with escapes of JSON, Python and
HTML, in hexadecimal and in Base64, by itself or within a longer text. Others are found by their
form: tokens of hosts that are known, headers of authorization, passwords in addresses, and values
that a name says are secret.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from html.entities import codepoint2name
from urllib.parse import quote, unquote

HIDDEN = "[hidden]"

Redact = Callable[[str], str]

_NAMES = (
    r"(?:token|secret|passw(?:or)?d|passphrase|credentials?|signature"
    r"|(?:api|access|private|secret)[_-]?key)"
)
_SECRET_NAME = re.compile(rf"{_NAMES}s?$", re.IGNORECASE)
_NO_VALUE = r"\s\"'&,;)\]}\\"
# Headers that hold secrets, as Python and JSON write them, too: ('Authorization', b'Token …').
_HEADER = (
    r"\b(?:(?:proxy-)?authorization|(?:set-)?cookie"
    r"|(?:[a-z]{1,20}-){1,3}(?:key|token|secret|signature|password))"
    r"\\{0,4}[\"']?\s?(?::|(?<=[\"']),)\s?b?\\{0,4}[\"']?"
)
# Up to the end of the line or of what is quoted, with what is quoted in it: Digest response="…".
_LINE = r"(?:[\w-]{1,64}=\\{0,4}\"[^\"\\\r\n]{0,1000}\\{0,4}\"|[^\"'\\\r\n])+"
_PORT = r"\d{1,5}[/'\s]"  # not a password, in http://127.0.0.1:5000/a@b
_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:hf|r8|api_org)_[A-Za-z0-9]{8,}"  # of Hugging Face, of Replicate
    rf"|(?P<line>{_HEADER}){_LINE}"
    # The same in other spellings: authorization=Bearer%20…
    r"|(?P<header>\b(?:proxy-)?authorization(?:[\"':=,\s]|%3A|b['\"]){1,6}"
    r"(?:[\w-]{1,20}(?:\s|%20|\+){1,4})?)"
    rf"[^{_NO_VALUE}]+"
    r"|(?P<bearer>\bBearer(?:\s|%20|\+){1,4})[\w.~+/=%-]+"
    r"|(?<=://)[^/\s\"'<>]+(?=@)"  # user and password of an address
    rf"|(?<=://)[^/\s\"'<>@:]{{0,128}}:(?!{_PORT})[^\s\"<>@]{{1,256}}(?=@)"  # with signs in it
    rf"|(?P<query>[?&](?:sig|[\w.%-]{{0,80}}(?:token|signature|secret|passw(?:or)?d|key)[\w-]{{0,80}})=)"
    rf"[^{_NO_VALUE}]+"
    # "token": "…", also within JSON or Python text that is quoted once more
    rf"|(?P<double>{_NAMES}[\"']\s?:\s?b?\")(?:[^\"\\]|\\.)+"
    rf"|(?P<single>{_NAMES}[\"']\s?:\s?b?')(?:[^'\\]|\\.)+"
    rf"|(?P<field>{_NAMES}\\{{0,4}}[\"']\s?:\s?b?\\{{0,4}}[\"'])[^\"'\\]+"
    rf"|(?P<quoted>{_NAMES}=)(?:\"[^\"\r\n]{{1,1000}}\"|'[^'\r\n]{{1,1000}}')"
    rf"|(?P<variable>{_NAMES}=[\"']?)[^{_NO_VALUE}]+",
    re.IGNORECASE,
)
_BASIC = re.compile(r"(?<=Basic[ +])[\w+/-]{4,}={0,2}|(?<=Basic%20)[\w+/-]{4,}={0,2}", re.I | re.A)
_PASSWORD = re.compile(
    rf"://(?:[^/\s:@]*):([^/\s]+)@|://([^/\s:@]+)@|://[^/\s:@]{{0,128}}:(?!{_PORT})([^\s@]{{1,256}})@"
)

_LONGEST_SPELLED = 256  # characters of a secret of which each may be escaped by itself
_SHORTEST_ENCODED = 4  # characters of hexadecimal or Base64; fewer may be any text


def has_secret_name(name: str) -> bool:
    """Whether a variable or field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def find_passwords(text: str) -> tuple[str, ...]:
    """Find the passwords of addresses in a text, and users without one, as written and decoded."""
    found = (match[1] or match[2] or match[3] for match in _PASSWORD.finditer(text))
    return tuple(form for secret in found for form in dict.fromkeys((secret, unquote(secret))))


def make_redactor(secrets: Iterable[str]) -> Redact:
    """Make the function that hides these secrets in a text, ignoring case.

    It knows these alone; `hide_forms` hides what has the form of one.
    """
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    if not known:
        return str
    pattern = re.compile("|".join(form for one in known for form in _list_forms(one)), re.I)
    return lambda text: pattern.sub(HIDDEN, text)


def hide_forms(text: str) -> str:
    """The text without anything that has the form of a secret."""
    return _BASIC.sub(_hide_credentials, _FORMS.sub(_keep_name, text))


def redact_value(value: object, redact: Redact) -> object:
    """A JSON value with the texts in it redacted, and those that a key names as secret hidden."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {
            redact(str(key)): HIDDEN
            if has_secret_name(str(key)) and isinstance(one, str)
            else redact_value(one, redact)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(one, redact) for one in value]
    return value


def _keep_name(match: re.Match[str]) -> str:
    """Hide a secret, and leave the name before it."""
    return (match[match.lastgroup] if match.lastgroup else "") + HIDDEN


def _hide_credentials(match: re.Match[str]) -> str:
    """Hide what is user and password in Base64; "Basic settings" stays."""
    text = match[0].rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return match[0]
    return HIDDEN if b":" in decoded else match[0]


# A known secret -> regular expressions of its forms


def _list_forms(secret: str) -> list[str]:
    content = secret.encode("utf-8", "surrogateescape")
    dumped = json.dumps(secret)[1:-1]
    plain = (
        *(secret, dumped, json.dumps(secret, ensure_ascii=False)[1:-1]),
        *(json.dumps(dumped)[1:-1], repr(secret)[1:-1], quote(content, safe="")),
    )
    within = dict.fromkeys((content, dumped.encode(), quote(content, safe="").encode()))
    encoded = [content.hex(), *(form for text in within for form in _list_base64(text))]
    forms = [re.escape(form) for form in sorted(set(plain), key=len, reverse=True)]
    if len(secret) <= _LONGEST_SPELLED:
        forms.insert(0, "".join(map(_spell, secret)))
    return forms + [_spell_base64(form) for form in encoded if len(form) >= _SHORTEST_ENCODED]


def _spell(char: str) -> str:
    """The ways to write one character: itself, percent-encoded, escaped for JSON, Python, HTML."""
    code = ord(char)
    percent = "".join(f"%(?:25){{0,3}}{b:02x}" for b in char.encode("utf-8", "surrogateescape"))
    ways = [re.escape(char), percent, rf"&(?:amp;){{0,3}}#(?:0{{0,5}}{code}|x0{{0,5}}{code:x});"]
    if code < 0x10000:
        ways.append(rf"\\{{1,4}}u{code:04x}")
    if code < 0x100:
        ways.append(rf"\\{{1,4}}x{code:02x}")
    if code in codepoint2name:
        ways.append(f"&(?:amp;){{0,3}}{codepoint2name[code]};")
    if char == " ":
        ways.append(r"\+")
    elif char in "\"'/&":
        ways.append(rf"\\{{1,4}}{re.escape(char)}")
    return f"(?:{'|'.join(ways)})"


def _list_base64(content: bytes) -> list[str]:
    """The Base64 of the content wherever it begins in a longer text, without uncertain letters."""
    forms = []
    for before in range(3):
        text = base64.b64encode(b"\0" * before + content).decode()
        begin = (0, 2, 3)[before]  # letters that also tell what stands before
        end = (before + len(content)) * 8 // 6
        forms.append(text[begin:end])
    return forms


def _spell_base64(text: str) -> str:
    """A regular expression for Base64 in both alphabets, with the letters beside it."""
    ways = {"+": "(?:[+-]|%2B)", "/": r"(?:\\?/|_|%2F)"}
    core = "".join(ways.get(letter, letter) for letter in text)
    return rf"[\w+/-]{{0,3}}{core}[\w+/-]{{0,3}}(?:=|%3D){{0,2}}"
