package advisoryhttp

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Operators lists the routes that are for operators only, as Routes does.
func Operators() [][2]string {
	var out [][2]string
	for _, r := range routes {
		if r.operator {
			out = append(out, [2]string{r.method, r.path})
		}
	}
	return out
}

// Bodies makes an empty body of each kind that is read from strangers.
func Bodies() []any { return []any{new(Approval), new(Question), new(lookups)} }
