#!lua flags=allow-oom
-- asking.lua: jobs that wait for others, and are to ask now what has become of these. When they ask next is put off in
-- the same step.
-- KEYS 1 base
-- ARGV 1 most jobs  2 ms until they ask again  3 the same of a workflow that is being stopped, or run again
-- RETURNS now_ms, and for each edge that is open: id, parent, its name, its rule as attach.lua takes it. In place of
--      the rule: 'k' where the parent, a job of the workflow, is to be cancelled | 'r<ms>' where it is to be run
--      again, in the order of the numbers in its name
-- @use clock edges anchor
local most, again_ms, order_again_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = {now}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', base .. 'unsure', '-inf', now, 'LIMIT', 0, most)) do
  local state, is_to_stop, round =
    unpack(redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'cancel_requested', 'round'))
  local order = is_to_stop and 'k' or round and 'r' .. round
  if state == 'blocked' then
    redis.call('ZADD', base .. 'unsure', digits(now_ms + (order and order_again_ms or again_ms)), id)
    local is_there = {[true] = knows_anchor(id, 'm'), [false] = knows_anchor(id, 'c')}
    for parent, rule, mark, name in each_edge(id) do
      if mark == '.' then
        local is_own = is_of_own_job(rule)
        local asked_rule = is_there[is_own] and string.upper(rule) or rule
        for _, value in ipairs({id, parent, name, order and is_own and order or asked_rule}) do
          reply[#reply + 1] = value
        end
      end
    end
  else
    redis.call('ZREM', base .. 'unsure', id)
  end
end
return reply
