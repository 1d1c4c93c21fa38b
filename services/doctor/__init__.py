"""What keeps mutua from its work, or soon will: looked for one thing after the other."""
