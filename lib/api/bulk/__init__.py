"""POST /api/jobs/batch: many jobs in one request, as a JSON array or as NDJSON, a line in and a line out.

    batch.py     the operation, for both forms
    intake.py    the jobs of one batch on their way to Redis, and the item that answers each
    upload.py    the NDJSON form: lines in, items out in the same order; ndjson.py cuts the lines
    spool.py     items that the client does not read yet

Jobs of a batch share commits with the jobs of other requests, and come behind those that are posted one by one.
"""
