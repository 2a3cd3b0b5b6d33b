package issuer

import "context"

// Hash hashes a password as it is kept.
func Hash(text string) (string, error) { return new(hasher).hash(context.Background(), text) }

// Fits reports whether a password has a hash.
func Fits(text, hash string) (bool, error) {
	return new(hasher).fits(context.Background(), text, hash)
}

// Matches, SameRedirect and CheckRedirect are what decides about patterns and addresses.
func Matches(p, text string) bool                      { return matches(p, text) }
func SameRedirect(known, got string) bool              { return sameRedirect(known, got) }
func CheckRedirect(text string) error                  { return checkRedirect(text) }
func ParseForm(text string) (map[string]string, error) { return parseForm(text) }
func UserCode(text string) string                      { return userCode(text) }

// Routes are those of administration.
func (s *Server) Routes() [][2]string {
	var out [][2]string
	for _, r := range s.routes() {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Hurry has logins that fail take no longer than they do.
func (s *Server) Hurry() {
	s.ready()
	s.floor = 0
}
