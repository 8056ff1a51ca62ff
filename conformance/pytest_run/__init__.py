"""A run of pytest over submissions: from the options to findings, reports and exit code."""
