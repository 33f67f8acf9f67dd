#!lua flags=allow-oom
-- promote.lua: delayed jobs whose time has come are ready.
-- KEYS 1 base
-- ARGV 1 most jobs
-- RETURNS {ms until the next delayed job is due or '', 'more' where that is now, or ''}
-- @transition delayed --promote--> ready
-- @use clock due promote_due wait_ms
promote_due(tonumber(ARGV[1]))
local due_ms = next_due()
return {wait_ms(due_ms), due_ms and due_ms <= now_ms and 'more' or ''}
