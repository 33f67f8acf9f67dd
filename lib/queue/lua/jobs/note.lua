#!lua flags=allow-oom
-- note.lua: keep the notes of running handlers, of those runners that still hold their job.
-- KEYS 1 base
-- ARGV 1 runner  2 records: id, token, '', notes (parts/notes.lua)
-- RETURNS of how many jobs the notes were kept
-- @use records notes
-- WHY pcall: a record that somebody broke must not cost the notes of the other jobs.
local runner, records = ARGV[1], ARGV[2]

local kept = 0
for id, token, _, notes in each_record(records) do
  local job = base .. 'job:' .. id
  local state, owner, claims = unpack(redis.pcall('HMGET', job, 'state', 'worker', 'claims'))
  if state == 'active' and owner == runner and claims == token then
    keep_notes(id, job, token, notes)
    kept = kept + 1
  end
end
return kept
