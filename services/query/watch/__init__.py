"""Watches: answers that are kept up to date for their subscribers."""
