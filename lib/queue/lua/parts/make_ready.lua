-- A job becomes ready: make_ready puts it into a list, and publish_ready wakes a runner and publishes the event.

-- place(id, job, list, stale_in): a ready job's id goes to the end of `list`; where a stale id of the job stands there,
-- the job has that place again instead.
-- @use bell events lines stale_ids
local made_ready, needs_bell = {}, false
local function place(id, job, list, stale_in)
  if is_stale_in(stale_in, list) then
    unmark_stale(job, stale_in, list)
    needs_bell = needs_bell or list ~= 'ready:normal'
  elseif push('LPUSH', list, id) then
    needs_bell = true
  end
end

-- make_ready(id, job, list, stale_in, name, value …): the job is ready, at the end of `list`. The fields are written
-- with its state. The caller has taken the id out of where it stood, or takes it out next.
-- WHY the list comes first: where somebody broke the list, the job's state stays as it was.
local function make_ready(id, job, list, stale_in, ...)
  place(id, job, list, stale_in)
  redis.call('HSET', job, 'state', 'ready', ...)
  made_ready[#made_ready + 1] = id
end

-- publish_ready(by, must_ring): to be called once, behind the last `make_ready` and `give_back`. Wakes a runner where a
-- job went to a list on which no runner blocks, or where must_ring is true.
local function publish_ready(by, must_ring)
  if needs_bell or must_ring or (#made_ready > 0 and blocks_on_bells()) then ring() end
  publish('ready', made_ready, by)
end
