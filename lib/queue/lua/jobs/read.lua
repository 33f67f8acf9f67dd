#!lua flags=no-writes
-- read.lua: jobs as they are now.
-- KEYS 1 base
-- ARGV 1… ids
-- RETURNS for each: '' no such job | a text of fields: created ms, due ms while delayed, then name, value, name, value …
-- WHY pcall: an index that somebody broke costs a job a time, and not its being read.
local function score(index, id)
  local found = redis.pcall('ZSCORE', base .. index, id)
  return type(found) == 'string' and found or ''
end

local reply = {}
for i, id in ipairs(ARGV) do
  local fields = redis.pcall('HGETALL', base .. 'job:' .. id)
  if fields.err or #fields == 0 then
    reply[i] = ''
  else
    -- A spec that somebody wrote by hand may hold the separator; the other fields are to be read all the same.
    for at = 2, #fields, 2 do fields[at] = (string.gsub(fields[at], '\31', ' ')) end
    reply[i] = score('all', id) .. '\31' .. score('delayed', id) .. '\31' .. table.concat(fields, '\31')
  end
end
return reply
