"""The operations of the API, a file a resource: parse, one call, reply. routes.py is the table of them all."""
