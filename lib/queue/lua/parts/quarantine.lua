-- quarantine(id, reason): an entry of a list that is no job is kept for a person to look at. The last 1,000 stay.
-- WHY pcall: where somebody broke the key, an entry is lost, and the script goes on.
-- @use clock
local function quarantine(id, reason)
  redis.pcall('LPUSH', base .. 'quarantine', string.sub(id, 1, 256) .. '\31' .. reason .. '\31' .. now)
  redis.pcall('LTRIM', base .. 'quarantine', 0, 999)
end
