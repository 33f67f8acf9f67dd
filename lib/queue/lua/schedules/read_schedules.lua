#!lua flags=no-writes
-- read_schedules.lua: schedules by their names.
-- KEYS 1 base
-- ARGV 1… names, as few as fit into a reply
-- RETURNS {now, then for each schedule that is there: name, due ms or 'inf', its fields in the order below, each ''
--      where it is not there, and the states of the jobs that stand in `runs`, as
--      'reports-01a2…\031completed\031reports-01a1…\031dead', without those of which there is no record}
-- @use clock schedules
local function states_of(runs)
  local words = {}
  for id in string.gmatch(runs, '\31([^\30\31]+)\30') do
    local state = redis.pcall('HGET', base .. 'job:' .. id, 'state')
    if type(state) == 'string' then
      words[#words + 1] = id
      words[#words + 1] = state
    end
  end
  return table.concat(words, '\31')
end

local reply = {now}
local RUNS = 12  -- Its place among the fields.
for _, name in ipairs(ARGV) do
  local fields = redis.call('HMGET', schedule_key(name), 'version', 'slot', 'wall', 'anchor', 'created', 'changed',
    'last', 'fired', 'skipped', 'missed', 'reason', 'runs', 'outcomes', 'code', 'text')
  local version = unpack(fields)
  if version then
    reply[#reply + 1] = name
    reply[#reply + 1] = redis.call('ZSCORE', base .. 'slots', name) or 'inf'
    for i = 1, #fields do reply[#reply + 1] = fields[i] or '' end
    reply[#reply + 1] = states_of(fields[RUNS] or '')
  end
end
return reply
