"""Injects faults into a whole cluster under load, one after the other; see ../README.md."""
