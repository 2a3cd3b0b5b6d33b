package servers

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Severed is a way to PostgreSQL on which one answer to a COMMIT is lost, with its
// connection: what was committed is, and who asked for it does not know.
type Severed struct {
	Left atomic.Int64 // COMMITs until it happens
	Cut  atomic.Int64 // how often it did
	to   string
	wg   sync.WaitGroup
}

// Sever listens where a URL is asked for, and returns the URL of that.
func Sever(t testing.TB, database string) (*Severed, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	s := &Severed{to: u.Host}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.carry(client) })
		}
	})
	t.Cleanup(func() { listener.Close(); s.wg.Wait() })
	u.Host = listener.Addr().String()
	return s, u.String()
}

// carry takes what a client says to the server, and the answers back.
func (s *Severed) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.to)
	if err != nil {
		return
	}
	defer server.Close()
	var lost atomic.Bool
	go func() {
		defer client.Close()
		answer := make([]byte, 64<<10)
		for {
			n, err := server.Read(answer)
			if lost.Load() { // it answers after the commit
				s.Cut.Add(1)
				return
			}
			if n > 0 {
				if _, err := client.Write(answer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	said := make([]byte, 64<<10)
	for {
		n, err := client.Read(said)
		if bytes.Contains(bytes.ToLower(said[:n]), []byte("commit\x00")) && s.Left.Add(-1) == 0 {
			lost.Store(true)
		}
		if n > 0 {
			if _, err := server.Write(said[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
