"""Technologies, one a file or folder; each fulfils a port of `services.ledger.ports`."""
