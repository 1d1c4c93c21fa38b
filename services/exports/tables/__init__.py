"""Exports answers to a question as tables: CSV or Parquet files, or one Excel workbook."""
