-- fade(id, retain): a job has ended; `retain` is its field of that name, ms for which its record is kept then. Most have
-- none: only the queue's own retention (see trim.lua) ends their records.
-- WHY three seconds at least: whoever waits for a job's end is told of it, and reads it then.
-- WHY pcall: a broken `fading` costs the record its early end, and the job nothing.
-- @use clock
local function fade(id, retain)
  local ms = retain and #retain <= 12 and string.match(retain, '^%d+$')
  if ms then redis.pcall('ZADD', base .. 'fading', digits(now_ms + math.max(3000, tonumber(ms))), id) end
end
