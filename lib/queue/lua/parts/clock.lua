-- now_ms: Redis' own time. No host's clock decides anything about a job. now: the same in digits, for commands and keys.
-- WHY digits: a number that a command is given Redis prints with all the care that a float needs, each time anew; that
-- costs as much as to store it. So what is said for every job is given as '0' or digits(n).
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now = clock[1] .. string.sub('00000' .. clock[2], -6, -4)
local function digits(n) return string.format('%d', n) end
