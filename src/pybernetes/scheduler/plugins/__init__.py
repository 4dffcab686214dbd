"""The scheduler's plugins, one per file; `table` lists them in order."""
