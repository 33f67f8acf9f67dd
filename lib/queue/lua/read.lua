#!lua flags=no-writes
-- read.lua: jobs as they are now.
-- KEYS 1 base
-- ARGV 1… ids
-- RETURNS for each: '' no such job | a text of fields: created ms, due ms while delayed, then name, value, name, value …
local reply = {}
for i, id in ipairs(ARGV) do
  local fields = redis.pcall('HGETALL', base .. 'job:' .. id)
  if fields.err or #fields == 0 then
    reply[i] = ''
  else
    -- A spec that somebody wrote by hand may hold the separator; the other fields are to be read all the same.
    for at = 2, #fields, 2 do fields[at] = (string.gsub(fields[at], '\31', ' ')) end
    local created = redis.call('ZSCORE', base .. 'all', id) or ''
    local due = redis.call('ZSCORE', base .. 'delayed', id) or ''
    reply[i] = created .. '\31' .. due .. '\31' .. table.concat(fields, '\31')
  end
end
return reply
