package harbor

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Parse reads a scan request.
var Parse = parse

// Negotiate chooses a report.
var Negotiate = negotiate
