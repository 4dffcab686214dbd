"""Expressions in CEL, as Kubernetes extends it: for rules in schemas, and for whatever else takes expressions.

    schema --> declarations --> environment --> program --> value
                    |               |
                  values        libraries        costs (how bad it may get, before it is run)

The language itself is Google's C++ implementation, in the package `cel-expr-python`; what is here is Kubernetes': the
types that schemas stand for, the names that fields have, the function libraries, the budgets and the words of errors.
Nothing imports this before an expression is met.
"""
