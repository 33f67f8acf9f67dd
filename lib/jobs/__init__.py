"""What a job is, as pure values; nothing in this room does I/O, except that job modules are imported and their source
lines read.

a job        job.py at each step of its life, spec.py what was asked for, state.py its states, backoff.py
a request    submission.py for a new job, revision.py for a change; fields.py and timestamps.py check the fields
a type       handler.py what a handler sees, declaration.py `@job`, job_type.py, registry.py and module.py load modules
a payload    payload.py decodes it, payload_schema.py describes it, masking.py hides its secrets
an end       result.py what a handler returned, failure.py and frames.py what it raised, end_webhook.py how it is told
an answer    shown.py a job as the API shows it, and as a callback_url is sent it; explanation.py why it does not run;
             request_trace.py what became of a request, as spans
"""
