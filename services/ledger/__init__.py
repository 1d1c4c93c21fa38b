"""The pure core: what facts mean and what they add up to. Standard library only."""
