"""Files that people drop on the dashboard, previewed and recorded through the importer."""
