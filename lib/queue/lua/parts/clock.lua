-- Redis' own time is the only clock that decides anything about a job: a host's clock may be wrong.
-- now_ms: ms since 1970, as a number. now: now_ms as text, for commands and keys. digits(n): a whole number as text.
-- WHY text: Redis prints a number that a command is given with the care that a float needs, each time anew, which costs
-- as much as storing it. So a command that runs once a job is given '0' or digits(n), and no number.
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now = clock[1] .. string.sub('00000' .. clock[2], -6, -4)
local function digits(n) return string.format('%d', n) end
