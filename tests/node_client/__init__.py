"""Clients in other languages: what they meet with the defaults of their gRPC libraries."""
