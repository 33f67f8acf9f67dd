#!lua flags=allow-oom
-- promote.lua: delayed jobs whose time has come are ready.
-- KEYS 1 base
-- ARGV 1 most jobs  2 the runner that asks, or '' for upkeep
-- RETURNS {after how many ms this runner asks again (parts/keeper.lua) or '', 'more' where jobs are due still, or ''}
-- @transition delayed --promote--> ready
-- @use clock due keeper promote_due
promote_due(tonumber(ARGV[1]))
local due_ms = next_due()
return {my_wait(ARGV[2], due_ms, PLAIN_MS), due_ms and due_ms <= now_ms and 'more' or ''}
