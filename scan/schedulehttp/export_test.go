package schedulehttp

// Routes lists method and path of every route.
func Routes() [][2]string {
	out := [][2]string{{"POST", deltas}}
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Restricted reports whether a route is for operators.
func Restricted(method, path string) bool {
	for _, r := range routes {
		if r.method == method && r.path == path {
			return r.operator
		}
	}
	return false
}
