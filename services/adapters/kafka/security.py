"""TLS and SASL options of kafka-python, mapped to aiokafka's, which Faust's derive from."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.helpers import create_ssl_context

_SASL_PREFIX: Final = "sasl_"


def make_aiokafka_options(security: Mapping[str, Any]) -> dict[str, Any]:
    """The options of aiokafka that mean the same as `security`, in kafka-python's options."""
    protocol = security.get("security_protocol", "PLAINTEXT")
    options = {name: value for name, value in security.items() if name.startswith(_SASL_PREFIX)}
    options.pop("sasl_kerberos_name", None)
    if protocol.endswith("SSL"):
        options["ssl_context"] = _make_tls_context(security)
    return {"security_protocol": protocol, **options}


def _make_tls_context(security: Mapping[str, Any]) -> ssl.SSLContext:
    """aiokafka takes a context where kafka-python takes options."""
    names = ("cafile", "certfile", "keyfile", "password")
    context: ssl.SSLContext = create_ssl_context(
        **{name: security.get(f"ssl_{name}") for name in names}
    )
    context.check_hostname = security.get("ssl_check_hostname", True)
    if revocation_list := security.get("ssl_crlfile"):
        context.load_verify_locations(revocation_list)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if ciphers := security.get("ssl_ciphers"):
        context.set_ciphers(ciphers)
    return context
