"""Questions: flows are answered from columns in memory, lists from SQL, each at one position."""
