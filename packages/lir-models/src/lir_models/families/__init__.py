"""The families, one a file: a config, and what differs from the generic model."""
