#!lua flags=no-writes
-- read_schedules.lua: schedules by their names.
-- KEYS 1 base
-- ARGV 1… names, as few as fit into a reply
-- RETURNS {now, then for each schedule that is there: name, due ms or 'inf', and its fields in the order below, each ''
--      where it is not there}
-- @use clock schedules
local reply = {now}
for _, name in ipairs(ARGV) do
  local fields = redis.call('HMGET', schedule_key(name), 'version', 'slot', 'wall', 'anchor', 'created', 'changed',
    'last', 'fired', 'skipped', 'missed', 'reason', 'outcomes', 'code', 'text')
  local version = unpack(fields)
  if version then
    reply[#reply + 1] = name
    reply[#reply + 1] = redis.call('ZSCORE', base .. 'slots', name) or 'inf'
    for i = 1, #fields do reply[#reply + 1] = fields[i] or '' end
  end
end
return reply
