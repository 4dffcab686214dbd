"""The `pybernetes` commands, one per file, each with NAME, HELP, DESCRIPTION, `add_arguments` and `run`."""
