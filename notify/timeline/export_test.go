package timeline

// LineOf returns an entry as a line of an export.
func LineOf(e *Entry) ([]byte, error) { return e.line(nil) }
