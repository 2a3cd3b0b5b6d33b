package policyhttp

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Restricted lists the routes that are for authors or approvers only, as Routes does.
func Restricted() [][2]string {
	var out [][2]string
	for _, r := range routes {
		if r.right != mayRead {
			out = append(out, [2]string{r.method, r.path})
		}
	}
	return out
}

// Bodies makes an empty body of each kind that is read from strangers.
func Bodies() []any {
	return []any{new(Simulation), new(Draft), new(activation), new(ending), new(revocation)}
}
