-- What wrk sends: an e-mail, the one that the peers are sent (they call its text "body").
wrk.method = "POST"
wrk.body = '{"type":"email","payload":{"to":"test@gmail.com","subject":"hi","text":"hello world"}}'
wrk.headers["Content-Type"] = "application/json"
