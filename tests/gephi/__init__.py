"""The real engine of Gephi, which reads exported files in the tests."""
