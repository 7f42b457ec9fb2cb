-- Sixteen requests at once on each connection, and again when they are answered.
local inFlight = 16
local requests

function init()
   local each = {}
   for i = 1, inFlight do
      each[i] = wrk.format()
   end
   requests = table.concat(each)
end

function request()
   return requests
end
