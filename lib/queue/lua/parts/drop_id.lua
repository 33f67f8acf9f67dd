-- drop_id(id, state, list, stale_in): the id was taken from `list`, and no job is to run for it. A stale id is stale in
-- one list less; the id of a deleted job has one place less in `gone`; an id that never was a job's goes to quarantine.
-- WHY also of a blocked job: where its stale letter stayed, make_ready would trust it later, and the freed job would
-- be ready and stand in no list.
-- state, stale_in: fields of the job; state is nil or false where no job has the id.
-- @use states quarantine stale_ids
local function drop_id(id, state, list, stale_in)
  if state and LIVES[state] == nil then
    quarantine(id, 'its state is none')
  elseif state then
    if stale_in then unmark_stale(base .. 'job:' .. id, stale_in, list) end
  elseif id ~= 'bell' then
    local places = tonumber(redis.pcall('HGET', base .. 'gone', id))
    if not places then return quarantine(id, 'no job has this id') end
    count_stale(list, -1)
    if places <= 1 then return redis.call('HDEL', base .. 'gone', id) end
    redis.call('HSET', base .. 'gone', id, places - 1)
  end
end
