"""Calling a REST API well, knowing none in particular."""
