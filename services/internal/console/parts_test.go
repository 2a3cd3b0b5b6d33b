package console

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 漢":                 "plain ä 漢",
		"a\u202eb":                  `a\u{202e}b`,
		"a\u200bb":                  `a\u{200b}b`,
		"a\x00b\x1b[31m":            `a\u{0}b\u{1b}[31m`,
		"\xff":                      `\u{fffd}`,
		"line\nline\ttab":           "line\nline\ttab",
		"<script>alert(1)</script>": "<script>alert(1)</script>", // which templates escape
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWebAddress(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.org/a?b=c": "https://example.org/a?b=c", "http://example.org": "http://example.org",
		"javascript:alert(1)": "", "data:text/html,x": "", "//example.org": "", "https://user@example.org": "", "": "", "https:///x": "", "https://example.org/\x00": "",
	} {
		if got := webAddress(in); got != want {
			t.Errorf("webAddress(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	for in, want := range map[string]string{
		"/console/scans?x=1": "/console/scans?x=1", "/console/": "/console/", "": Root, "/": Root, "https://x/console/": Root, "//x": Root,
		"/console//x": Root, "/console/\\x": Root, "/console/\nx": Root, "/console/" + strings.Repeat("x", 3000): Root,
	} {
		if got := local(in); got != want {
			t.Errorf("local(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestSessions(t *testing.T) {
	var s sessions
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := &session{made: now}
	s.put(first, now)
	if s.get(first.id, now.Add(time.Minute)) != first {
		t.Error("a session is not found")
	}
	if s.get(first.id, now.Add(idleTime+2*time.Minute)) != nil {
		t.Error("a session that nobody used is still there")
	}
	busy := &session{made: now}
	s.put(busy, now)
	for at := now; at.Sub(now) < wholeTime; at = at.Add(time.Hour) {
		if s.get(busy.id, at) == nil {
			t.Fatalf("a session that is used is over after %v", at.Sub(now))
		}
	}
	if s.get(busy.id, now.Add(wholeTime+time.Minute)) != nil {
		t.Error("a session has no end")
	}
	old := &session{made: now}
	s.put(old, now)
	id := old.id
	s.put(old, now)
	if old.id == id || s.get(id, now) != nil || s.get(old.id, now) != old {
		t.Error("a session that is put again keeps its id")
	}
	for range maxSessions {
		s.put(&session{made: now}, now)
	}
	if len(s.of) != maxSessions || s.recent.Len() != maxSessions {
		t.Errorf("there are %d sessions and %d in the list, at most %d", len(s.of), s.recent.Len(), maxSessions)
	}
	if s.get(old.id, now) != nil {
		t.Error("of too many sessions the oldest is still there")
	}
}

func TestTenants(t *testing.T) {
	s := new(session)
	for i := range maxLogins + 1 {
		s.enter(&login{Tenant: fmt.Sprint(i)})
	}
	if got := s.tenants(); len(got) != maxLogins || got[0] != "1" {
		t.Errorf("tenants %v", got)
	}
	if s.turn("0") || !s.turn("3") || s.login().Tenant != "3" {
		t.Error("a turn to another tenant")
	}
	newer := &login{Tenant: "3"}
	if over := s.enter(newer); over == nil || over == newer || s.login() != newer {
		t.Error("a second login of a tenant takes the place of the first")
	}
}

// TestTreemap: tiles do not lie over each other, stay in the box, and are as large as they count.
func TestTreemap(t *testing.T) {
	for n := 1; n < 40; n++ {
		var list []tile
		total := 0
		for i := range n {
			list = append(list, tile{Name: fmt.Sprint("tile", i), Count: 1 + i*i})
			total += 1 + i*i
		}
		c := treemap("x", list)
		for i, a := range c.Shapes {
			if a.X < 0 || a.Y < 0 || a.X+a.W > c.Width || a.Y+a.H > c.Height {
				t.Fatalf("%d tiles: %+v is out of the box", n, a)
			}
			for _, b := range c.Shapes[i+1:] {
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Fatalf("%d tiles: %+v and %+v lie over each other", n, a, b)
				}
			}
		}
		largest := c.Shapes[0]
		want := float64(c.Width*c.Height) * float64(1+(n-1)*(n-1)) / float64(total)
		if got := float64((largest.W + 1) * (largest.H + 1)); got < want*0.9 || got > want*1.1 {
			t.Errorf("%d tiles: the largest has %v, want about %v", n, got, want)
		}
	}
	if treemap("x", nil) != nil || treemap("x", []tile{{Name: "a"}}) != nil {
		t.Error("nothing is drawn as something")
	}
}

func TestStacked(t *testing.T) {
	s := &series{Names: []string{"a", "b"}}
	for i := range 200 {
		s.add(fmt.Sprint(i), i, 2*i)
	}
	c := stacked("x", s)
	for _, r := range c.Shapes {
		if r.X < chartLeft || r.X+r.W > c.Width || r.Y < 0 || r.Y+r.H > c.Height-chartBottom+1 || r.W < 1 || r.H < 1 {
			t.Fatalf("%+v is out of the box", r)
		}
	}
	if len(c.Rows) != 200 || len(c.Lines) < 2 {
		t.Errorf("%d rows, %d lines", len(c.Rows), len(c.Lines))
	}
}

func TestTemplates(t *testing.T) {
	templates.once.Do(templates.read)
	if templates.wrong != nil {
		t.Fatal(templates.wrong)
	}
	for name := range templates.of {
		text, err := pageFiles.ReadFile("pages/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{" style=", "<script", "<style", " onclick", "javascript:", "http://", "https://"} {
			if strings.Contains(strings.ToLower(string(text)), bad) {
				t.Errorf("page %s has %q, which its policy forbids", name, bad)
			}
		}
	}
}
