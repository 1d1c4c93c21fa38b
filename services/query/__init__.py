"""Asking: questions are answered from columns and lists from SQL, each at one position."""
