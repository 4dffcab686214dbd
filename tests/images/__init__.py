"""Images made here, because nothing can be pulled where the tests run."""
