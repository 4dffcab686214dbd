"""Custom resources: from a CustomResourceDefinition to kinds that are served like any other.

`schema` is the model of a version's schema; `pruning`, `defaulting`, `validation`, `listtypes`, `embedded` and `shapes`
are what it means, as pure functions on trees; `kinds` makes the kind of a version; `collections` and `conversion` keep
its objects; `names` decides what a definition may be called, and `definitions` carries definitions out.
"""
