#!lua flags=allow-oom
-- delete.lua: forget jobs that have ended.
-- KEYS 1 base
-- ARGV 1… ids, 200 at most
-- RETURNS a word a job: 'done' | the state that does not allow it | '' there is no such job
-- @transition completed --delete--> -
-- @transition dead --delete--> -
-- @transition cancelled --delete--> -
-- @use states check_types forget
local answers, ended = {}, {}
for i, id in ipairs(ARGV) do
  local state = redis.call('HGET', base .. 'job:' .. id, 'state')
  if LIVES[state] == false then
    ended[state] = ended[state] or {}
    table.insert(ended[state], id)
    answers[i] = 'done'
  else
    answers[i] = state or ''
  end
end

for state in pairs(ended) do
  check_types('ZCARD', 'all', state)
  check_types('HLEN', 'gone')
end
for state, ids in pairs(ended) do forget(state, ids) end
return answers
