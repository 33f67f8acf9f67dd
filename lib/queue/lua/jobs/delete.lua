#!lua flags=allow-oom
-- delete.lua: forget jobs that have ended.
-- KEYS 1 base
-- ARGV for each job, 200 at most: its id, how it was seen (parts/as_seen.lua)
-- RETURNS a word a job: 'done' | 'changed': it is not as it was seen | the state that does not allow it | '' there is
--      no such job
-- @transition completed --delete--> -
-- @transition dead --delete--> -
-- @transition cancelled --delete--> -
-- @use as_seen states check_types forget
local answers, ended = {}, {}
for i = 1, #ARGV, 2 do
  local id, seen = ARGV[i], ARGV[i + 1]
  local state, finished = unpack(redis.call('HMGET', base .. 'job:' .. id, 'state', 'finished'))
  local word = state or ''
  if state and not is_as_seen(seen, state, finished) then
    word = 'changed'
  elseif LIVES[state] == false then
    ended[state] = ended[state] or {}
    table.insert(ended[state], id)
    word = 'done'
  end
  answers[#answers + 1] = word
end

for state in pairs(ended) do
  check_types('ZCARD', 'all', state)
  check_types('HLEN', 'gone')
end
for state, ids in pairs(ended) do forget(state, ids) end
return answers
