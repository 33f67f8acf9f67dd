-- now_ms: Redis' own time. No host's clock decides anything about a job.
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
