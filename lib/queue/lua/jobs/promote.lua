#!lua flags=allow-oom
-- promote.lua: move delayed jobs whose time has come to the ready lists.
-- KEYS 1 base
-- ARGV 1 limit
-- RETURNS {ms until the next is due or '', 'more' where that is now}
-- @transition delayed --promote--> ready
-- @use clock next_due promote_due
promote_due(tonumber(ARGV[1]))
local due = next_due()
return {wait_ms(due), due and due <= now_ms and 'more' or ''}
