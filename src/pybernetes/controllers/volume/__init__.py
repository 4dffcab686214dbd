"""Controllers of storage: which volume a claim gets, what is kept from being deleted, and who has what attached."""
