"""The cluster as a user meets it: started by its command, driven by stock clients."""
