"""The commands of ``lir``, one a file; each imports what it needs when it is called."""
