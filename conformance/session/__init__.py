"""A run over one or more submissions, as the pytest plug-in sees it."""
