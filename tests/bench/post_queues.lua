-- What wrk sends: as post.lua, to a hundred queues in turns.
local number, requests = 0, {}

function init()
  wrk.headers["Content-Type"] = "application/json"
  local body = '{"type":"noop","queue":"q%02d","payload":{"to":"test@gmail.com","subject":"hi","text":"hello world"}}'
  for queue = 0, 99 do requests[queue] = wrk.format("POST", nil, nil, string.format(body, queue)) end
end

function request()
  number = (number + 1) % 100
  return requests[number]
end
