"""The names a dashboard may be called by: whoever's page makes a browser call it by another is refused."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from app.errors import InsightsError

PLACE = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]*)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Hosts:
    """Names that are known: of the loopback, those given and, where others reach this machine, every address.

    Only a name can be made to lead here by somebody else (DNS rebinding): an address leads where it says.
    """

    named: frozenset[str]
    reachable: bool

    def knows(self, place: str) -> bool:
        """Whether a `Host` header names this dashboard, at whatever port: a tunnel has one of its own."""
        name = _name(place)
        if not name:
            return False
        address = _address(name)
        if address is not None:
            return address.is_loopback or self.reachable or name in self.named
        return name == "localhost" or name.endswith(".localhost") or name in self.named

    def serves(self, page: str, place: str) -> bool:
        """Whether a page's address, or its origin, is of the dashboard that was called by `place`."""
        try:
            asking = urlsplit(page).netloc
        except ValueError:
            return False
        return bool(asking) and (asking.lower() == place.lower() or _name(asking) in self.named)


def hosts(bound: str, named: Collection[str]) -> Hosts:
    """The names of a dashboard that listens at an address of this machine."""
    lower = {name.lower() for name in named}
    if is_loopback(bound):
        return Hosts(frozenset(lower), reachable=False)
    own = socket.gethostname().lower()
    return Hosts(frozenset({*lower, own, f"{own}.local"}), reachable=True)


def hub_hosts() -> list[str]:
    """The host by which a JupyterHub is known, where it tells; its proxy passes that on as it is."""
    name = urlsplit(os.environ.get("JUPYTERHUB_PUBLIC_URL", "")).hostname
    return [name] if name else []


def allowed(names: Collection[str]) -> list[str]:
    """Hosts' names as a user gives them; refused unless they are such."""
    return [_checked(name) for name in ([names] if isinstance(names, str) else names)]


def _checked(name: str) -> str:
    found = _name(name) if isinstance(name, str) else ""
    if not found or found != name.lower().strip("[]").removesuffix("."):
        raise InsightsError(
            f"{name!r} cannot be an allowed host",
            hint="give a name alone, without http://, port or path, as in 'hub.example.org'",
        )
    return found


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address that a socket listens at."""
    return ip_address(address.partition("%")[0]).is_loopback


def outward(address: str) -> str:
    """What others may call a machine by that listens at `address`: where that is all of its addresses, one of them."""
    if not ip_address(address.partition("%")[0]).is_unspecified:
        return address
    six = ":" in address
    try:
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("2001:db8::1" if six else "192.0.2.1", 9))  # sends nothing, but chooses a way out
            return str(asking.getsockname()[0])
    except OSError:
        return socket.gethostname()


def _name(place: str) -> str:
    """The host of "host:port", in lower case and without a last dot; "" where it is none."""
    found = PLACE.fullmatch(place)
    return (found["six"] or found["name"]).lower().removesuffix(".") if found else ""


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
