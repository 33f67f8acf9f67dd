#!lua flags=no-writes
-- groups.lua: a page of a queue's groups, by name: those that have or lately had jobs, and those with limits of their
-- own.
-- KEYS 1 base
-- ARGV 1 the name behind which the page begins, or ''  2 most groups
-- RETURNS {the last name of the page where there are more, or '', then for each group: name, how many of its jobs are
--      ready, how many run, what stops it: 'paused' | 'hold' | 'rate' | 'concurrency' | '', until when (ms) or '', its
--      own limits as in limit_group.lua, or '', its strikes as in parts/strikes.lua, or ''}
-- @use group_stop lines
local after, most = ARGV[1], tonumber(ARGV[2])
local from = after == '' and '-' or '(' .. after
local names = redis.call('ZRANGEBYLEX', base .. 'groups', from, '+', 'LIMIT', 0, most + 1)

-- The groups that have limits and no jobs stand in no sorted set: there are few.
local has_name = {}
for _, name in ipairs(names) do has_name[name] = true end
for _, name in ipairs(redis.call('HKEYS', base .. 'limits')) do
  if name > after and not has_name[name] then names[#names + 1] = name end
end
table.sort(names)

local reply = {#names > most and names[most] or ''}
for i = 1, math.min(#names, most) do
  local name = names[i]
  local by, until_ms = stop_of(name)
  local numbers = {name, lines().depth(name), running_of(name), by, until_ms, limits_text(name), strikes_text(name)}
  for _, value in ipairs(numbers) do reply[#reply + 1] = tostring(value) end
end
return reply
