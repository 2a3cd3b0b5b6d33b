package scanhttp

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Bodies makes an empty body of each kind that is read from strangers.
func Bodies() []any {
	return []any{new(submission), new(cancellation), new(claim), new(heartbeat), new(resolution), new(completion), new(failure)}
}
