-- KEYS: stream, due, state, stream of dead letters. ARGV: group, stream ID,
-- receipt, action, delay in ms, causes, ID and body of the dead letter.
-- Returns whether the receipt was good.
local stream, due, state = KEYS[1], KEYS[2], KEYS[3]
local group, id, action, delay = ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[5])

if not redis.call('ZSCORE', due, id) then return 0 end
local kept = redis.call('HGET', state, id)
local receipt, attempts = string.match(kept or '1 1', '^(%d+) (%d+)$')
if receipt ~= ARGV[3] then return 0 end

if action == 'ack' or action == 'bury' then
  if action == 'bury' then
    redis.call('XADD', KEYS[4], '*', 'id', ARGV[7], 'body', ARGV[8])
  end
  redis.call('XACK', stream, group, id)
  redis.call('ZREM', due, id)
  if kept then redis.call('HDEL', state, id, id .. ' causes') end
  return 1
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', due, now + delay, id)
if action == 'extend' then return 1 end
if action == 'postpone' then attempts = tonumber(attempts) - 1 end
redis.call('HSET', state, id, (tonumber(receipt) + 1) .. ' ' .. attempts)
if action == 'retry' then redis.call('HSET', state, id .. ' causes', ARGV[6]) end
return 1
