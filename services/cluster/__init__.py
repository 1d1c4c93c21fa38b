"""The processes of the cluster, each put together from settings."""
