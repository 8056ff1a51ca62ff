"""The plan: what the suites check of a submission, and the jobs that evidence comes from."""
