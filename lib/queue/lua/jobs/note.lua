#!lua flags=allow-oom
-- note.lua: keep what running handlers say, from those that still own their job.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, '', what was said (parts/notes.lua)
-- RETURNS how many were kept
-- @use records notes
-- WHY pcall: what somebody broke of one job must not cost the notes of the others.
local worker, records = ARGV[1], ARGV[2]

local kept = 0
for id, token, _, said in each_record(records) do
  local job = base .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'state', 'worker', 'claims')
  if f[1] == 'active' and f[2] == worker and f[3] == token then
    keep_notes(id, job, token, said)
    kept = kept + 1
  end
end
return kept
