package attesthttp

// Routes lists method and path of every route of the three handlers, in their order:
// signing, attesting, exporting.
func Routes() (out [3][][2]string) {
	for _, r := range signRoutes {
		out[0] = append(out[0], [2]string{r.method, r.path})
	}
	for _, r := range attestRoutes {
		out[1] = append(out[1], [2]string{r.method, r.path})
	}
	for _, r := range exportRoutes {
		out[2] = append(out[2], [2]string{r.method, r.path})
	}
	return out
}

// Bodies makes an empty body of each kind that is read from strangers as JSON.
func Bodies() []any { return []any{new(signing), new(wish), new(wishes)} }

// Choose and SpanOf read headers of strangers.
var Choose = choose

// SpanOf returns where a part begins and how long it is.
func SpanOf(header []string, size int64) (start, length int64, part bool, err error) {
	s, part, err := spanOf(header, size)
	return s.start, s.length, part, err
}
