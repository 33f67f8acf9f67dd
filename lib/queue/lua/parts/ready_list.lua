-- ready_list(priority, is_suspect, group): the list in which a ready job waits. Nothing else decides where that is.
-- priority, group: the job's fields of these names, or false: 'normal', no group. A group of '' is none (hand_out.lua).
-- is_suspect: the job's field `suspect`, or nil. Example: ready_list('high', nil, 'tenant-42') is line:high:tenant-42.
local READY_LISTS = {high = 'ready:high', normal = 'ready:normal', low = 'ready:low'}
local function ready_list(priority, is_suspect, group)
  if is_suspect then return 'suspects' end
  if not group or group == '' then return READY_LISTS[priority] or 'ready:normal' end
  return 'line:' .. (READY_LISTS[priority] and priority or 'normal') .. ':' .. group
end
