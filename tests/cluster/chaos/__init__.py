"""The whole cluster under load, broken in one place after the other; see ../README.md."""
