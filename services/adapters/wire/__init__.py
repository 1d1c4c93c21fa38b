"""Protobuf and facts: the only place that knows both."""
