"""Evidence: computed once by an isolated worker, and kept by what it depends on."""
