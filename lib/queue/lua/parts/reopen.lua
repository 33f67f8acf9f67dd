-- reopen(id, is_wanted): edges for which is_wanted(rule, mark) is true are open again, and are asked for anew. Returns
-- whether there were any. When that was stands in the field `reopened`: a word from before is void (resolve.lua).
-- has_not_got(rule, mark): has the edge not got what it waits for? Of a workflow's own jobs: has the job not completed,
-- though it was to run? WHY optional ones too: a workflow that is run again runs all of these.
-- has_not_got_anew(rule, mark): the same of a job that its workflow runs again with its other jobs. One that waits for
-- any end of a parent which did not complete waits for the next one, as the parent runs again, too.
-- @use clock edges
local function has_not_got(rule, mark)
  if is_of_own_job(rule) then return string.find('dxkg', mark, 1, true) ~= nil end
  local class = class_of(rule, mark)
  return class == 'bad' or class == 'lost' or class == 'cut'
end

local function has_not_got_anew(rule, mark)
  return has_not_got(rule, mark) or (rule == 'e' and string.find('dxk', mark, 1, true) ~= nil)
end

local function reopen(id, is_wanted)
  local fields, reopened, changes = {}, {}, {}
  for parent, rule, mark, name in each_edge(id) do
    if mark ~= '.' and is_wanted(rule, mark) then
      fields[#fields + 1] = parent
      reopened[#reopened + 1] = parent
      fields[#fields + 1] = rule .. '.' .. name
      local was, is = count_name(rule, class_of(rule, mark)), count_name(rule, 'open')
      changes[was], changes[is] = (changes[was] or 0) - 1, (changes[is] or 0) + 1
    end
  end
  for at = 1, #fields, 1000 do
    redis.call('HSET', parents_of(id), unpack(fields, at, math.min(at + 999, #fields)))
  end
  for name, by in pairs(changes) do
    if name ~= '#ok' and name ~= '@ok' then redis.call('HINCRBY', parents_of(id), name, by) end
  end
  if #reopened > 0 then
    redis.call('HDEL', said_to(id), unpack(reopened))
    redis.call('HSET', base .. 'job:' .. id, 'reopened', now)
  end
  return #reopened > 0
end
