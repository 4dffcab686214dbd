"""What kubelets may: their work, and of what belongs to pods only what belongs to those on their own node.

    pods, volumes, ... --(changes)--> graph --> authorizer --> decision

The rules are those of the bootstrap role system:node, which is not bound to anybody.
"""
