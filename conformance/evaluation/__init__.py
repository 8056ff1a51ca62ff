"""Turn a valid submission into evidence: plan, isolated worker, content-addressed store."""
