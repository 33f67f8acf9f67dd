-- now_ms: Redis' own time. No host's clock decides anything about a job. now: the same in digits, for commands and keys.
-- WHY digits: a number that a command is given Redis prints with all the care that a float needs, each time anew; that
-- costs as much as to store it.
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now = string.format('%.0f', now_ms)
