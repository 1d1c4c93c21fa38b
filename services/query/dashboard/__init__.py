"""The dashboard: views that Python computes from answers, and the page that draws them."""
