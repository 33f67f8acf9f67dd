-- record_text(id): a job's whole record as text, parted by \31: created ms, due ms while delayed or '', then name,
-- value, name, value …, as in '1760000000101\031\031spec\031{"v":1,…}\031state\031ready'; '' where there is no such
-- job.
-- WHY pcall: an index that somebody broke costs the text a time, and not the job.
local function score_in(index, id)
  local found = redis.pcall('ZSCORE', base .. index, id)
  return type(found) == 'string' and found or ''
end

local function record_text(id)
  local fields = redis.pcall('HGETALL', base .. 'job:' .. id)
  if fields.err or #fields == 0 then return '' end
  -- WHY: a spec that a person wrote by hand may hold the separator. The other fields are to be read all the same.
  for at = 2, #fields, 2 do fields[at] = (string.gsub(fields[at], '\31', ' ')) end
  return score_in('all', id) .. '\31' .. score_in('delayed', id) .. '\31' .. table.concat(fields, '\31')
end
