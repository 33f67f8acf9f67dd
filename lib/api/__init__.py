"""The operations of the API, a file for each resource: an operation parses its request, makes one call, and answers.

    routes.py        the table of all operations
    service.py       puts a server process together and runs it; background.py is its work beside the requests
    jobs.py job_search.py idempotency.py cursor.py             /api/jobs; bulk/ is /api/jobs/batch
    actions/                                                   redrive, purge and /api/jobs/actions: many jobs changed
    job_filters.py                                             which jobs a list shows, or a bulk action is for
    requests.py explain.py                                     answers: what became of a request, why a job does not run
    job_types.py queues.py system.py metrics.py caller.py …    other resources
    manual.py dashboard.py                                     pages and files for browsers
    events.py bookmark.py digests.py                           /api/events, a stream for each reader

Nothing here changes a job by itself: queue/ does, and jobs/ says what a request may ask for.
"""
