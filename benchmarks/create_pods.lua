-- wrk: POST pods of distinct names, bound to nodes so that nothing schedules them.
local count = 0

function request()
  count = count + 1
  local body = string.format([[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bench-%d","labels":{"app":"bench","n":"%d"}},
    "spec":{"nodeName":"node-%d","containers":[{"name":"main","image":"example.com/app:1",
    "env":[{"name":"MODE","value":"bench"}],"ports":[{"containerPort":8080}],
    "resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}]], count, count, count % 50)
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = wrk.headers["Authorization"] }
  return wrk.format("POST", "/api/v1/namespaces/default/pods", headers, body)
end
