package mirror

// Before has the publisher ask f before it writes a file of its folder, and end with
// the error that f returns.
func (p *Publisher) Before(f func(file string) error) { p.before = f }
