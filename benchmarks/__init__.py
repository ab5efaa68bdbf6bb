"""One script per claim: each measures against named peers, in one run, and writes a table."""
