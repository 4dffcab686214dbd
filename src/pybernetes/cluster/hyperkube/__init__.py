"""`hyperkube COMPONENT`: each component as a program of its own, with upstream's name and upstream's flags."""
