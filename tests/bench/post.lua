-- What wrk sends: a job that does nothing, with a payload like a small mail's.
wrk.method = "POST"
wrk.body = '{"type":"noop","payload":{"to":"test@gmail.com","subject":"hi","text":"hello world"}}'
wrk.headers["Content-Type"] = "application/json"
