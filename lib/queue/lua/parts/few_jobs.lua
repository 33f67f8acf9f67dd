-- few_jobs(sources, runner): all ids that stand where jobs of these states wait or run, 'ready,active'; nil where they
-- are more than MOST_FEW. Ids of other jobs may be among them. runner: of active jobs those of this one alone, or ''.
-- WHY: of a million jobs the ready and active ones may be three, and the oldest of all.
-- @use waiting_lists
local MOST_FEW = 2000
local function few_jobs(sources, runner)
  local few, are_few, seen = {}, true, {}
  local function add(ids)
    for _, id in ipairs(ids) do
      if not seen[id] then
        seen[id] = true
        few[#few + 1] = id
      end
    end
    are_few = are_few and #few <= MOST_FEW
  end
  local function add_ready()
    local lists, total = waiting_lists()
    are_few = lists ~= nil and #few + total <= MOST_FEW
    if not are_few then return end
    for _, list in ipairs(lists) do add(ids_in(list, 0, list.length)) end
  end
  local function add_active()
    local runners = runner ~= '' and {runner} or redis.call('HKEYS', base .. 'workers')
    for _, one in ipairs(runners) do
      if are_few then add(redis.call('LRANGE', base .. 'active:' .. one, 0, MOST_FEW)) end
    end
  end
  local function add_index(source)
    are_few = #few + redis.call('ZCARD', base .. source) <= MOST_FEW
    if are_few then add(redis.call('ZRANGE', base .. source, 0, -1)) end
  end
  for source in string.gmatch(sources, '[^,]+') do
    if source == 'ready' then add_ready()
    elseif source == 'active' then add_active()
    else add_index(source) end
    if not are_few then return nil end
  end
  return few
end
