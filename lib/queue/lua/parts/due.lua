-- next_due(): when the earliest delayed job is due, in ms since 1970; nil where no job is delayed.
local function next_due() return tonumber(redis.call('ZRANGE', base .. 'delayed', '0', '0', 'WITHSCORES')[2]) end
