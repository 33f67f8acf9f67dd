#!lua flags=no-writes
-- read.lua: the records of jobs (lib/queue/job_fields.py) as they are now.
-- KEYS 1 base
-- ARGV 1… ids
-- RETURNS for each id: '' where there is no such job | a text, parted by \31: created ms, due ms while delayed or '',
--      then name, value, name, value …, as in '1760000000101\031\031spec\031{"v":1,…}\031state\031ready'
-- WHY pcall: an index that somebody broke costs the answer a time, and not the job.
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
    -- WHY: a spec that a person wrote by hand may hold the separator. The other fields are to be read all the same.
    for at = 2, #fields, 2 do fields[at] = (string.gsub(fields[at], '\31', ' ')) end
    reply[i] = score('all', id) .. '\31' .. score('delayed', id) .. '\31' .. table.concat(fields, '\31')
  end
end
return reply
