"""Processes that foreign files are opened in: how they are started, asked, limited and ended."""
