"""Adapters, one folder per technology; each implements a port of `services.ledger.ports`."""
