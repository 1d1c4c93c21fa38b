"""The HTTP server: JSON for every rpc of the contract."""
