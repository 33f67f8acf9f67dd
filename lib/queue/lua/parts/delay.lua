-- A job becomes delayed: delay puts it into `delayed`, and publish_delayed wakes a runner and publishes the event.
-- first_due_ms: when the earliest delayed job was due as the script began. delayed_ids: the jobs of this call.
-- WHY asked at once: it raises WRONGTYPE where somebody broke `delayed`, before a script has written anything.
-- @use bell due events
local delayed_ids, first_due_ms = {}, next_due()

-- delay(id, job, due_ms, name, value …): the job is delayed until due_ms. The fields are written with its state. The
-- caller has taken the id out of where it stood.
local function delay(id, job, due_ms, ...)
  redis.call('ZADD', base .. 'delayed', due_ms, id)
  redis.call('HSET', job, 'state', 'delayed', ...)
  delayed_ids[#delayed_ids + 1] = id
end

-- publish_delayed(by): to be called once, behind the last `delay`. Wakes a runner where another job is the next to be
-- due: idle runners sleep until the due time that they know.
local function publish_delayed(by)
  if #delayed_ids == 0 then return end
  if next_due() ~= first_due_ms then ring() end
  publish('delayed', delayed_ids, by)
end
