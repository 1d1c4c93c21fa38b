"""The board report: one HTML file about one programme, from answers at one position."""
