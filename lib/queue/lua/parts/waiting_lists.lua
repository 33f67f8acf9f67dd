-- waiting_lists(): the lists in which ready jobs stand, where not empty, {name, rank, counts_as, length} …, and
-- how many ids they hold. nil where the queue has more than MOST_GROUPS groups.
-- rank: 1, 2, 3 for the priority of all jobs of the list; nil where jobs of every priority stand there. counts_as: the
-- list by whose letter a stale id is told (stale_ids.lua).
-- WHY active lists: an id that a runner has popped and not claimed yet is the newest in that runner's list, and its job
-- is ready still. Of such a list, `length` counts the NEWEST ids alone.
local NEWEST, MOST_GROUPS = 20, 500
local RANKED = {'high', 'normal', 'low'}
local function waiting_lists()
  local groups = redis.call('ZRANGE', base .. 'groups', 0, MOST_GROUPS)
  if #groups > MOST_GROUPS then return nil, 0 end
  local lists, total = {}, 0
  local function add(name, rank, counts_as)
    local length = redis.call('LLEN', base .. name)
    if not rank and name ~= 'suspects' then length = math.min(length, NEWEST) end
    if length == 0 then return end
    lists[#lists + 1] = {name = name, rank = rank, counts_as = counts_as or name, length = length}
    total = total + length
  end
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do add('active:' .. runner, nil, 'ready:normal') end
  add('suspects')
  for rank, priority in ipairs(RANKED) do
    add('ready:' .. priority, rank)
    for _, group in ipairs(groups) do add('line:' .. priority .. ':' .. group, rank) end
  end
  return lists, total
end

-- ids_in(list, from, count): ids of such a list, the one that is claimed next first; `from` is 0 at that end.
local function ids_in(list, from, count)
  if not list.rank and list.name ~= 'suspects' then return redis.call('LRANGE', base .. list.name, 0, NEWEST - 1) end
  local ids, turned = redis.call('LRANGE', base .. list.name, -(from + count), -(from + 1)), {}
  for i = #ids, 1, -1 do turned[#turned + 1] = ids[i] end
  return turned
end
