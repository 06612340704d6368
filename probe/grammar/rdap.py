"""RDAP: where a domain's registration is looked up (RFC 9224), and what the answer says (RFC 9083)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Registration", "moment", "registration", "server"]

_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registry says of a domain; a time that is not told is None.

    `status` are RDAP's words (RFC 8056), such as ``client hold``. `told` is the registry's own clock.
    """

    registered: datetime | None
    expires: datetime | None
    told: datetime | None
    status: tuple[str, ...]


def server(bootstrap: str, zone: str) -> str:
    """The base URL of the RDAP server for a top-level domain, with its final slash; empty: it has none."""
    services = _object(bootstrap).get("services")
    for service in services if isinstance(services, list) else ():
        if not isinstance(service, list) or len(service) < 2:
            continue
        zones, urls = service[0], service[1]
        if isinstance(zones, list) and isinstance(urls, list) and zone in zones:
            secure = (url for url in urls if isinstance(url, str) and url.startswith("https://"))
            url = next(secure, "")
            return url if not url or url.endswith("/") else f"{url}/"
    return ""


def registration(body: str) -> Registration | None:
    """What a domain object says; None where the body is not one."""
    found = _object(body)
    if found.get("objectClassName") != "domain":
        return None
    events = found.get("events")
    dates: dict[str, datetime] = {}
    for event in events[:_EVENTS] if isinstance(events, list) else ():
        if isinstance(event, dict) and (date := moment(str(event.get("eventDate", "")))):
            dates.setdefault(str(event.get("eventAction", "")), date)
    status = found.get("status")
    words = tuple(str(word).lower() for word in status[:_EVENTS]) if isinstance(status, list) else ()
    clock = dates.get("last update of RDAP database")
    return Registration(dates.get("registration"), dates.get("expiration"), clock, words)


def moment(text: str) -> datetime | None:
    """A time in RFC 3339 form, or as in an HTTP Date header; None where it is neither."""
    text = text.strip()
    if not text or len(text) > 64:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
