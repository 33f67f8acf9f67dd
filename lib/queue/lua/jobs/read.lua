#!lua flags=no-writes
-- read.lua: the records of jobs (lib/queue/job_fields.py) as they are now.
-- KEYS 1 base
-- ARGV 1… ids
-- RETURNS for each id its text of record_text.lua; '' where there is no such job
-- @use record_text
local reply = {}
for i, id in ipairs(ARGV) do reply[i] = record_text(id) end
return reply
