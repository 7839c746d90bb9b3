"""Who is calling: the SPIFFE id in the peer's certificate, and whether it may call this method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import cast
from weakref import WeakKeyDictionary

import grpc

from services.common.errors import PermissionDenied, TunggalError, Unauthenticated, abort
from services.common.interceptors import Around, Layer, Method, Surround

_callers: WeakKeyDictionary[grpc.ServicerContext, str] = WeakKeyDictionary()


def caller(context: grpc.ServicerContext) -> str:
    """The SPIFFE path of the peer, such as ``service/enroll`` or ``operator/cli``, in any handler of a
    Tunggal server.
    """
    try:
        return _callers[context]
    except KeyError:
        raise Unauthenticated("NO_IDENTITY", "The caller has shown no identity.") from None


def peer_path(context: grpc.ServicerContext, trust_domain: str) -> str:
    """The path of the one SPIFFE id of ``trust_domain`` in the peer's certificate.

    Raises :class:`Unauthenticated` where there is no certificate, no such name, or more than one of them.
    """
    names = _names(context)
    prefix = f"spiffe://{trust_domain}/"
    paths = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    if len(paths) != 1 or "" in paths:
        found = ", ".join(name for name in names if name.startswith("spiffe://")) or "none"
        raise Unauthenticated(
            "NO_IDENTITY",
            f"The certificate needs exactly one SPIFFE id of {trust_domain}; it has: {found}.",
            remedy=f"Use a certificate with the URI name {prefix}service/NAME or {prefix}operator/NAME.",
        )
    return paths.pop()


def _names(context: grpc.ServicerContext) -> list[str]:
    # The stubs of grpc say int; its documentation and its code say bytes.
    auth = cast(Mapping[str, Sequence[bytes]], context.auth_context())
    return [name.decode(errors="replace") for name in auth.get("x509_subject_alternative_name", ())]


class IdentityLayer(Layer):
    """Establishes the caller and holds the allow-list: patterns (fnmatch) of SPIFFE paths by full method
    name.
    """

    def __init__(self, trust_domain: str, allow: Mapping[str, frozenset[str]], domain: str) -> None:
        self._trust_domain = trust_domain
        self._allow = dict(allow)
        self._domain = domain

    def around(self, method: Method) -> Around:
        """Refuse strangers before anything else looks at the call."""
        patterns = self._allow.get(method.full_name, frozenset())

        def check(context: grpc.ServicerContext) -> Surround:
            try:
                path = peer_path(context, self._trust_domain)
                _callers[context] = path
                _check(path, patterns, method)
            except TunggalError as error:
                abort(context, error, self._domain)
            return _NOTHING_MORE

        return check


_NOTHING_MORE = Surround()


def _check(path: str, patterns: frozenset[str], method: Method) -> None:
    if not any(fnmatchcase(path, pattern) for pattern in patterns):
        raise PermissionDenied(
            "CALLER_NOT_ALLOWED",
            f"{path} may not call {method.name}.",
            remedy=f"Call as one of: {', '.join(sorted(patterns))}.",
            metadata={"caller": path, "method": method.full_name},
        )
