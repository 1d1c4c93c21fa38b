"""The processes of a cluster: each puts adapters and one service together from settings."""
