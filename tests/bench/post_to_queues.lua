-- What wrk sends: jobs that do nothing, to the queues named behind `--` in turns; a worker takes them off again.
local number, requests = 0, {}

function init(names)
  wrk.headers["Content-Type"] = "application/json"
  local body = '{"type":"noop","queue":"%s","payload":{"to":"test@gmail.com","subject":"hi","text":"hello world"}}'
  for _, name in ipairs(names) do
    requests[#requests + 1] = wrk.format("POST", nil, nil, string.format(body, name))
  end
end

function request()
  number = number % #requests + 1
  return requests[number]
end
