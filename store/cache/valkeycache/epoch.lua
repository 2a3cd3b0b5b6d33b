-- KEYS: epoch, tick. ARGV: a new epoch, the last tick that the caller saw.
-- A tick that goes back means that the keys are older than the caller remembers.
local epoch = redis.call('GET', KEYS[1])
local tick = tonumber(redis.call('GET', KEYS[2]) or '0')
local seen = tonumber(ARGV[2])
if not epoch or tick < seen then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
tick = math.max(tick, seen) + 1
redis.call('SET', KEYS[2], string.format('%d', tick))
return {epoch, tick}
