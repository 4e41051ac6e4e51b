"""Secrets in what v1 and v2 kept of their jobs: found by the names beside them, masked wherever they stand.

v1 masked environments, but neither `starter_info` nor what users had passed for the scanner server.
"""

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from skydriver.model.redaction import MASK, is_secret, mask_tokens, mask_urls

MIN_LENGTH = 6
"""Shorter values are masked where they stand, but not searched for elsewhere."""

_MORE_NAMES = re.compile(
    r"ACCESS_?KEY|PRIVATE|CREDENTIAL|CACERT|KUBECONFIG|CONFIG_FILE|SIGNATURE|COOKIE", re.I
)
_REFERENCES = re.compile(r"(name|ref|path|url|address)s?$", re.I)
"""Names of what only says where a secret is."""
_ASSIGNED = re.compile(
    r"(?P<name>(?<![\w.-])[\w.-]*(?:TOKEN|AUTH|PASS|SECRET|ACCESS_?KEY|SIGNATURE|CREDENTIAL)[\w.-]*)"
    r"(?P<between>\s*[=:]\s*(?:(?:bearer|basic)\s+)?|\s+)(?P<value>\"[^\"]*\"|'[^']*'|[^\s;,&\"']+)",
    re.IGNORECASE,
)
_SIGNS = re.compile("token|auth|pass|secret|access|signature|credential|bearer|eyj|@|://")
"""A text without any of these, in lower case, holds nothing that is masked: most have none."""
_FLAG = re.compile(r"--?[\w-]*(?:token|auth|pass|secret)[\w-]*", re.IGNORECASE)
# What v1 made of arguments that looked like secrets: their characters, with blanks between them.
_SPACED = re.compile(r"(?:\S ){8,}\S?")


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return bool(is_secret(name) or _MORE_NAMES.search(name)) and not _REFERENCES.search(name)


def secrets_in(value: Any) -> set[str]:
    """Collect the values of secrets in a plain value: of variables and fields that are named like one."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
            found |= {str(after) for before, after in _pairs(item) if isinstance(after, str)}
        elif isinstance(item, str) and _is_suspect(item):
            found |= {one["value"].strip("\"'") for one in _ASSIGNED.finditer(item) if _is_assignment(one)}
        elif isinstance(item, dict):
            name = item.get("name")
            if isinstance(name, str) and _is_secret(name) and isinstance(item.get("value"), str):
                found.add(item["value"])
            for key, inner in item.items():
                if isinstance(inner, str) and _is_secret(key):
                    found.add(inner)
            waiting.extend(item.values())
    return {secret for secret in found if len(secret) >= MIN_LENGTH and secret != MASK}


def _pairs(items: list[Any]) -> Iterable[tuple[Any, Any]]:
    """Find, in a list of arguments, what follows an option that is named like a secret."""
    for before, after in itertools.pairwise(items):
        if isinstance(before, str) and _FLAG.fullmatch(before):
            yield before, after


def _is_suspect(text: str) -> bool:
    return _SIGNS.search(text.lower()) is not None


def _is_assignment(found: "re.Match[str]") -> bool:
    """Tell `TOKEN=x` and `--token x` from words of a sentence."""
    return bool(found["between"].strip()) or found["name"].startswith("-")


def masked(value: Any, secrets: Iterable[str]) -> Any:
    """Mask, in a copy of a plain value, fields and variables named like secrets, and these secrets."""
    if isinstance(value, str):
        return mask_text(value, secrets)
    if isinstance(value, list):
        hidden = {id(after) for _, after in _pairs(value) if isinstance(after, str)}
        return [MASK if id(one) in hidden else masked(one, secrets) for one in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    name = value.get("name")
    holds_secret = isinstance(name, str) and _is_secret(name)
    is_kube_secret = value.get("kind") == "Secret"
    for key, inner in value.items():
        hides = _is_secret(key) or (holds_secret and key == "value")
        if isinstance(inner, str) and hides:
            made[mask_text(key, secrets)] = MASK
        elif is_kube_secret and key in ("data", "stringData") and isinstance(inner, dict):
            made[key] = dict.fromkeys(inner, MASK)
        else:
            made[mask_text(key, secrets)] = masked(inner, secrets)
    return made


def mask_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask, in a text, these secrets, signed URLs, passwords in addresses, tokens, and `TOKEN=value`."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
        if _SPACED.match(text):
            text = text.replace(" ".join(secret.replace(" ", "")), MASK)
    return _mask_patterns(text) if _is_suspect(text) else text


@lru_cache(maxsize=4096)
def _mask_patterns(text: str) -> str:
    return _ASSIGNED.sub(
        lambda one: f"{one['name']}{one['between']}{MASK}" if _is_assignment(one) else one[0],
        mask_urls(mask_tokens(text)),
    )
