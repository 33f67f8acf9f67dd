#!lua flags=allow-oom
-- promote.lua: delayed jobs whose time has come are ready, and groups that have rested have their turn.
-- KEYS 1 base
-- ARGV 1 most jobs, and most groups
-- RETURNS {ms until the next delayed job is due or the next group has rested, or '', 'more' where that is now, or ''}
-- @transition delayed --promote--> ready
-- @use clock due promote_due wait_ms wake_rested
local limit = tonumber(ARGV[1])
promote_due(limit)
wake_rested(limit)
local due_ms, rested_ms = next_due(), first_rest()
local next_ms = due_ms and rested_ms and math.min(due_ms, rested_ms) or due_ms or rested_ms
return {wait_ms(next_ms), next_ms and next_ms <= now_ms and 'more' or ''}
