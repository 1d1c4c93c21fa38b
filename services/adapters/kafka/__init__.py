"""Kafka and Faust: the log of a cluster, and the transport that feeds the projectors."""
