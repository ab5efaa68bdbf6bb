"""Where data comes from: the catalogue of ir_datasets, and local files."""
