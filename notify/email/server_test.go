package email_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Words of a script beside replies.
const (
	drop  = "<drop>"  // the connection is closed
	hang  = "<hang>"  // nothing is said until the other end gives up
	drip  = "<drip>"  // a byte now and then
	huge  = "<huge>"  // a line without end
	noise = "<noise>" // what is not TLS, where that is spoken
	many  = "<many>"  // lines without end
)

// mailServer is an SMTP server that does as it is told.
type mailServer struct {
	// script holds what is said to a verb, one after the other; the last is said again and
	// again. Verbs are "connect", those of SMTP, "AUTH+" for what follows AUTH, and "." for
	// the end of a mail. What is missing is said as a server should.
	script     map[string][]string
	extensions []string
	starttls   bool
	implicit   bool
	mechanisms string
	user, pass string
	iterations int

	newest uint16 // the newest version of TLS that it speaks; 0 is all

	roots *x509.CertPool
	cert  tls.Certificate
	addr  string

	// hung is closed when it says nothing for the first time, or does not stop.
	hung chan struct{}

	mu       sync.Mutex
	calls    map[string]int
	sessions []*session
}

// session is what one connection brought.
type session struct {
	TLS, Auth  bool
	Mechanism  string
	From       string
	To         []string
	Data       []byte
	Done, Quit bool
	Lines      []string
}

func (s *mailServer) start(t *testing.T) *mailServer {
	t.Helper()
	certs := httptest.NewTLSServer(nil)
	s.cert, s.roots = certs.TLS.Certificates[0], x509.NewCertPool()
	s.roots.AddCert(certs.Certificate())
	certs.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.calls, s.hung = l.Addr().String(), map[string]int{}, make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return s
}

// seen returns the sessions so far.
func (s *mailServer) seen() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*session{}, s.sessions...)
}

// next returns what the script says to a verb.
func (s *mailServer) next(verb, otherwise string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls[verb]
	s.calls[verb]++
	lines := s.script[verb]
	if len(lines) == 0 {
		return otherwise
	}
	line := lines[min(n, len(lines)-1)]
	if n == 0 && (line == hang || line == drip) {
		close(s.hung)
	}
	if line != "" {
		return line
	}
	return otherwise
}

// line is one end of a conversation.
type line struct {
	net.Conn
	r   *bufio.Reader
	raw net.Conn // without TLS
}

// say sends what a script says. It reports whether the conversation goes on.
func (l *line) say(text string) bool {
	switch text {
	case drop:
		return false
	case hang:
		_, _ = io.Copy(io.Discard, l.r)
		return false
	case noise:
		_, _ = l.raw.Write([]byte("nonsense, no record of TLS"))
		_, _ = io.Copy(io.Discard, l.raw)
		return false
	case drip:
		for {
			if _, err := l.Write([]byte("2")); err != nil {
				return false
			}
			time.Sleep(5 * time.Millisecond)
		}
	case huge, many:
		chunk := []byte("250-" + strings.Repeat("x", 1000))
		if text == many {
			chunk = append(chunk, "\r\n"...)
		}
		for {
			if _, err := l.Write(chunk); err != nil {
				return false
			}
		}
	}
	_, err := l.Write([]byte(text + "\r\n"))
	return err == nil
}

func (s *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	one := &session{}
	s.mu.Lock()
	s.sessions = append(s.sessions, one)
	s.mu.Unlock()
	raw := conn
	if s.implicit {
		conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS10, MaxVersion: s.newest})
		s.note(func() { one.TLS = true })
	}
	l := &line{conn, bufio.NewReader(conn), raw}
	if !l.say(s.next("connect", "220 mail.example.com ready")) {
		return
	}
	for {
		text, err := l.r.ReadString('\n')
		if err != nil {
			return
		}
		text = strings.TrimSuffix(text, "\r\n")
		s.note(func() { one.Lines = append(one.Lines, text) })
		verb, _, _ := strings.Cut(text, " ")
		if !s.command(l, one, strings.ToUpper(verb), text) {
			return
		}
	}
}

func (s *mailServer) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// command answers one command.
func (s *mailServer) command(l *line, one *session, verb, text string) bool {
	switch verb {
	case "EHLO":
		lines := append([]string{"mail.example.com"}, s.extensions...)
		if s.starttls && !one.TLS {
			lines = append(lines, "STARTTLS")
		}
		if s.mechanisms != "" {
			lines = append(lines, "AUTH "+s.mechanisms)
		}
		return l.say(s.next(verb, "250-"+strings.Join(lines[:len(lines)-1], "\r\n250-")+"\r\n250 "+lines[len(lines)-1])) || false
	case "STARTTLS":
		answer := s.next(verb, "220 go ahead")
		if !l.say(answer) {
			return false
		}
		if strings.HasPrefix(answer, "220") {
			secure := tls.Server(l.Conn, &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS10, MaxVersion: s.newest})
			l.Conn, l.r = secure, bufio.NewReader(secure)
			s.note(func() { one.TLS = true })
		}
		return true
	case "AUTH":
		if answer := s.next(verb, ""); answer != "" {
			return l.say(answer)
		}
		return s.auth(l, one, text)
	case "MAIL":
		s.note(func() { one.From = text })
		return l.say(s.next(verb, "250 2.1.0 ok"))
	case "RCPT":
		answer := s.next(verb, "250 2.1.5 ok")
		s.note(func() {
			if strings.HasPrefix(answer, "25") {
				one.To = append(one.To, text)
			}
		})
		return l.say(answer)
	case "DATA":
		answer := s.next(verb, "354 go ahead")
		return l.say(answer) && (!strings.HasPrefix(answer, "354") || s.data(l, one))
	case "QUIT":
		s.note(func() { one.Quit = true })
		l.say(s.next(verb, "221 bye"))
		return false
	}
	return l.say(s.next(verb, "502 5.5.1 what?"))
}

// data reads a mail up to its dot, and takes the stuffing away (RFC 5321, 4.5.2).
func (s *mailServer) data(l *line, one *session) bool {
	if n := s.next("data", ""); n == drop {
		_, _ = io.CopyN(io.Discard, l.r, 10)
		return false
	}
	var b bytes.Buffer
	for {
		text, err := l.r.ReadString('\n')
		if err != nil {
			return false
		}
		if text == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(text, "."))
	}
	s.note(func() { one.Data, one.Done = b.Bytes(), true })
	return l.say(s.next(".", "250 2.0.0 Ok: queued as 4XyZ12"))
}

// challenge says a challenge and reads the answer.
func (l *line) challenge(text string) (string, bool) {
	if !l.say("334 " + base64.StdEncoding.EncodeToString([]byte(text))) {
		return "", false
	}
	answer, err := l.r.ReadString('\n')
	if err != nil {
		return "", false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(answer))
	return string(b), err == nil
}

func (s *mailServer) auth(l *line, one *session, text string) bool {
	parts := strings.Fields(text)
	initial := ""
	if len(parts) > 2 {
		b, _ := base64.StdEncoding.DecodeString(parts[2])
		initial = string(b)
	}
	good := false
	switch parts[1] {
	case "PLAIN":
		good = initial == "\x00"+s.user+"\x00"+s.pass
	case "LOGIN":
		user, _ := l.challenge("Username:")
		pass, _ := l.challenge("Password:")
		good = user == s.user && pass == s.pass
	case "XOAUTH2":
		good = initial == "user="+s.user+"\x01auth=Bearer "+s.pass+"\x01\x01"
	case "CRAM-MD5":
		answer, _ := l.challenge("<1.2@mail.example.com>")
		h := hmac.New(md5.New, []byte(s.pass))
		h.Write([]byte("<1.2@mail.example.com>"))
		good = answer == fmt.Sprintf("%s %x", s.user, h.Sum(nil))
	default:
		good = s.scram(l, parts[1])
	}
	s.note(func() { one.Mechanism, one.Auth = parts[1], good })
	if good {
		return l.say(s.next("AUTH+", "235 2.7.0 ok"))
	}
	return l.say(s.next("AUTH-", "535 5.7.8 no: "+text))
}

// scram is the server's side of RFC 5802.
func (s *mailServer) scram(l *line, mech string) bool {
	var h func() hash.Hash = sha256.New
	if strings.HasPrefix(mech, "SCRAM-SHA-1") {
		h = sha1.New
	}
	first, ok := l.challenge("")
	bare := first[strings.Index(first, "n="+s.user):]
	_, nonce, found := strings.Cut(bare, ",r=")
	if !ok || !found {
		return false
	}
	iterations := max(s.iterations, 4096)
	salt := []byte("pepper")
	server := fmt.Sprintf("r=%sSERVER,s=%s,i=%d", nonce, base64.StdEncoding.EncodeToString(salt), iterations)
	final, ok := l.challenge(server)
	without, proof, found := strings.Cut(final, ",p=")
	if !ok || !found || iterations > 1<<20 {
		return false
	}
	mac := func(key []byte, text string) []byte {
		m := hmac.New(h, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	salted, err := pbkdf2.Key(h, s.pass, salt, iterations, h().Size())
	if err != nil {
		return false
	}
	all := bare + "," + server + "," + without
	key := mac(salted, "Client Key")
	stored := h()
	stored.Write(key)
	signature := mac(stored.Sum(nil), all)
	for i := range signature {
		signature[i] ^= key[i]
	}
	if base64.StdEncoding.EncodeToString(signature) != proof {
		return false
	}
	switch s.next("scram", "") {
	case "silent": // says yes without a proof
		return true
	case "liar":
		_, ok = l.challenge("v=" + base64.StdEncoding.EncodeToString([]byte("no")))
		return ok
	}
	_, ok = l.challenge("v=" + base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), all)))
	return ok
}
