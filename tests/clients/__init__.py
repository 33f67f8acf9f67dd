"""Clients that nobody here wrote, used against a real server the way their users use them: `make clients`."""
