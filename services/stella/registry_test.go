package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a registry in memory (OCI distribution-spec 1.1): what pushing and pulling
// artifacts takes, and a hand in what it answers.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte // by the path of the repository's manifests and blobs
	// noRange answers requests for a part with all of it.
	noRange bool
	// answer, where it is not nil, may answer in place of the registry.
	answer func(http.ResponseWriter, *http.Request) bool
	log    []string // method, kind and bytes of each answer that has some
}

func startRegistry(t testing.TB) (*memory, string) {
	m := &memory{files: map[string][]byte{}}
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return m, strings.TrimPrefix(s.URL, "http://")
}

func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answer != nil && m.answer(w, r) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodPost:
		w.Header().Set("Location", r.URL.Path+"one")
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/"):
		name, _, _ := strings.Cut(r.URL.Path, "uploads/")
		if d := digest(body); d != r.URL.Query().Get("digest") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.files[name+digest(body)] = body
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		name, _, _ := strings.Cut(r.URL.Path, "/manifests/")
		m.files[r.URL.Path] = body
		m.files[name+"/manifests/"+digest(body)] = body
		w.WriteHeader(http.StatusCreated)
	default:
		m.get(w, r)
	}
}

func (m *memory) get(w http.ResponseWriter, r *http.Request) {
	b, ok := m.files[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	kind := "blob"
	if strings.Contains(r.URL.Path, "/manifests/") {
		kind = "manifest"
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	}
	if m.noRange {
		r.Header.Del("Range")
	}
	if r.Method == http.MethodGet {
		m.log = append(m.log, fmt.Sprintf("%s %d", kind, len(b)))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// read is how many bytes of blobs were asked for since the last time.
func (m *memory) read() (total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.log {
		var n int
		if k, _ := fmt.Sscanf(l, "blob %d", &n); k == 1 {
			total += n
		}
	}
	m.log = nil
	return total
}
