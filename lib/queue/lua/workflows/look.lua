#!lua flags=no-writes
-- look.lua: may a job wait for these?
-- KEYS 1 base
-- ARGV 1… ids
-- RETURNS for each: '' there is no such job | 'full': as many jobs as may wait for it do already | its state
local MOST_FOLLOWERS = 1000
local reply = {}
for i, id in ipairs(ARGV) do
  local ids = redis.call('HGET', base .. 'followers', id) or ''
  local _, others = string.gsub(ids, ',', '')
  local state = redis.call('HGET', base .. 'job:' .. id, 'state')
  reply[i] = ids ~= '' and others + 1 >= MOST_FOLLOWERS and 'full' or state or ''
end
return reply
