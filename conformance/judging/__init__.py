"""From evidence to findings: the judge, the tolerance rule, waivers."""
