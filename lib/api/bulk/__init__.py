"""POST /api/jobs/batch: many jobs in one request, as a JSON array or as NDJSON, a line in and a line out."""
