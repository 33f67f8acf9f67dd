#!lua flags=allow-oom
-- promote.lua: move delayed jobs whose time has come to the ready lists.
-- KEYS 1 base
-- ARGV 1 limit
-- RETURNS {moved, ms until the next is due or ''}
-- @transition delayed --promote--> ready
-- @use clock ended ring listed quarantine promote next_due
local moved = promote_due(tonumber(ARGV[1]))
return {moved, wait_ms(next_due())}
