"""TLS for aiokafka, which takes a context where kafka-python takes options."""

import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.helpers import create_ssl_context


def make_tls_context(security: Mapping[str, Any]) -> ssl.SSLContext:
    """What the options of kafka-python say."""
    names = ("cafile", "certfile", "keyfile", "password")
    context: ssl.SSLContext = create_ssl_context(
        **{name: security.get(f"ssl_{name}") for name in names}
    )
    context.check_hostname = security.get("ssl_check_hostname", True)
    if revoked := security.get("ssl_crlfile"):
        context.load_verify_locations(revoked)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if ciphers := security.get("ssl_ciphers"):
        context.set_ciphers(ciphers)
    return context
