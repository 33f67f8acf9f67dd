-- ready_list(priority, is_suspect): the list in which a ready job waits. Nothing else decides where that is.
-- priority: the job's field of that name, or false: 'normal'. is_suspect: its field `suspect`, or nil.
local READY_LISTS = {high = 'ready:high', normal = 'ready:normal', low = 'ready:low'}
local function ready_list(priority, is_suspect)
  return is_suspect and 'suspects' or READY_LISTS[priority] or 'ready:normal'
end
