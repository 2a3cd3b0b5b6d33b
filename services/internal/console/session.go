package console

import (
	"container/list"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of sessions.
const (
	maxSessions = 10_000
	maxLogins   = 16             // organisations that one session is logged in to
	idleTime    = 2 * time.Hour  // after which a session nobody uses is over
	wholeTime   = 12 * time.Hour // after which every session is over
	beginTime   = 10 * time.Minute
)

// newID is a name that nobody can guess.
func newID() string { return rand.Text() }

// session is what a browser's cookie stands for: the logins of one person at one browser.
type session struct {
	id      string
	made    time.Time
	used    time.Time
	mu      sync.Mutex
	logins  []*login // one of each tenant, in the order of their first
	current int
}

// login returns the current one.
func (s *session) login() *login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins[s.current]
}

// all are its logins.
func (s *session) all() []*login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins)
}

// tenants are those that the session is logged in to.
func (s *session) tenants() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logins {
		out = append(out, l.Tenant)
	}
	return out
}

// enter makes a login the current one, in place of an older one of its tenant, which is
// returned: the oldest goes where there are too many.
func (s *session) enter(l *login) (over *login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.logins, func(o *login) bool { return o.Tenant == l.Tenant }); i >= 0 {
		over, s.logins[i], s.current = s.logins[i], l, i
		return over
	}
	if len(s.logins) == maxLogins {
		over, s.logins = s.logins[0], s.logins[1:]
	}
	s.logins = append(s.logins, l)
	s.current = len(s.logins) - 1
	return over
}

// turn makes another tenant's login the current one.
func (s *session) turn(tenant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.logins, func(l *login) bool { return l.Tenant == tenant })
	if i >= 0 {
		s.current = i
	}
	return i >= 0
}

// sessions are all of a process. The zero value has none. Where there are too many, the one
// that was used least recently is over.
type sessions struct {
	mu     sync.Mutex
	of     map[string]*list.Element // of *session
	recent list.List                // the one used last in front
	away   away
}

// get finds a session by its id, and notes that it is used.
func (s *sessions) get(id string, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of[id]
	if e == nil {
		return nil
	}
	found := e.Value.(*session)
	if now.Sub(found.used) > idleTime || now.Sub(found.made) > wholeTime {
		s.drop(e)
		return nil
	}
	found.used = now
	s.recent.MoveToFront(e)
	return found
}

// put keeps a session under a new id.
func (s *sessions) put(n *session, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]*list.Element{}
	}
	if e := s.of[n.id]; e != nil {
		s.drop(e)
	}
	for len(s.of) >= maxSessions {
		s.drop(s.recent.Back())
	}
	n.id, n.used = newID(), now
	s.of[n.id] = s.recent.PushFront(n)
}

// end forgets a session.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.of[id]; e != nil {
		s.drop(e)
	}
}

func (s *sessions) drop(e *list.Element) {
	delete(s.of, e.Value.(*session).id)
	s.recent.Remove(e)
}

// cookieName is the name of a cookie. Over TLS its prefix has browsers take it from this host
// alone (RFC 6265bis, section 4.1.3).
func (c *Console) cookieName(what string) string {
	if c.secure {
		return "__Host-stella-" + what
	}
	return "stella-" + what
}

func (c *Console) setCookie(w http.ResponseWriter, what, value string, life time.Duration) {
	k := &http.Cookie{Name: c.cookieName(what), Value: value, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())}
	if value == "" {
		k.MaxAge = -1
	}
	http.SetCookie(w, k)
}

// cookie reads one. A name that comes twice is somebody else's doing, and counts as none.
func (c *Console) cookie(r *http.Request, what string) string {
	list := r.CookiesNamed(c.cookieName(what))
	if len(list) != 1 || len(list[0].Value) > 64 {
		return ""
	}
	return list[0].Value
}

// local is a path of the console that a person may be led to after a login; anything else is
// the first page.
func local(path string) string {
	if !strings.HasPrefix(path, Root) || strings.ContainsAny(path, "\\\r\n\t") || strings.Contains(path, "//") || len(path) > 2048 {
		return Root
	}
	return path
}
