"""`health`: whether one process does its work."""

import sys
from typing import Any, Final

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mutua.connection import CHANNEL_OPTIONS
from mutua.location import parse_addresses

_SECONDS: Final = 3.0


@click.command()
@click.argument("address", metavar="HOST:PORT")
def health(address: str) -> None:
    """Check whether a process is serving.

    Exits 1 if it is not serving or does not answer. Process managers call it: a server, ingest or
    query process answers at MUTUA_LISTEN, a projector at MUTUA_HEALTH_LISTEN.

    \b
    Example:
      mutua health 127.0.0.1:7420
    """
    [address] = parse_addresses(address)
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # whose methods the stubs do not know
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.RpcError as error:
            click.echo(f"{address} does not answer: {error.code().name}", err=True)
            sys.exit(1)
    serves = answer.status == health_pb2.HealthCheckResponse.SERVING
    click.echo("serving" if serves else "not serving")
    sys.exit(0 if serves else 1)
