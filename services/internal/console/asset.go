package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

//go:embed static
var staticFiles embed.FS

//go:embed all:pages
var pageFiles embed.FS

// asset is a file that pages load.
type asset struct {
	kind    string
	content []byte
	path    string // with the digest of its content, so that browsers may keep it
}

type assetSet map[string]asset

// assets are all of them, read when the first page is made: a process that makes none has no
// use for them.
var assets = sync.OnceValue(func() assetSet {
	out := assetSet{}
	kinds := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	files, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		panic(err) // they are part of the program
	}
	for _, f := range files {
		text, err := fs.ReadFile(staticFiles, "static/"+f.Name())
		if err != nil {
			panic(err)
		}
		digest := sha256.Sum256(text)
		name, ext, _ := strings.Cut(f.Name(), ".")
		out[f.Name()] = asset{kinds[ext], text, Root + "static/" + name + "." + hex.EncodeToString(digest[:6]) + "." + ext}
	}
	return out
})

// path is where pages find a file.
func (s assetSet) path(name string) string { return s[name].path }

// serve serves one.
func (s assetSet) serve(w http.ResponseWriter, r *http.Request) {
	for _, a := range s {
		if r.URL.Path == a.path {
			h := w.Header()
			h.Set("Content-Type", a.kind)
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("X-Content-Type-Options", "nosniff")
			w.Write(a.content)
			return
		}
	}
	http.NotFound(w, r)
}

// pageSet are the templates of pages: each of its own, over the layout and the parts that
// all share.
type pageSet struct {
	once  sync.Once
	of    map[string]*template.Template
	wrong error
}

var templates pageSet

// run writes a page.
func (s *pageSet) run(w io.Writer, name string, p *page) error {
	s.once.Do(s.read)
	if s.wrong != nil {
		return s.wrong
	}
	t := s.of[name]
	if t == nil {
		return fault.NotFound
	}
	return t.ExecuteTemplate(w, "layout", p)
}

// part writes a part of a page alone.
func (s *pageSet) part(w io.Writer, page, name string, data any) error {
	s.once.Do(s.read)
	if s.wrong != nil {
		return s.wrong
	}
	return s.of[page].ExecuteTemplate(w, name, data)
}

func (s *pageSet) read() {
	s.of = map[string]*template.Template{}
	shared, err := template.New("").Funcs(functions).ParseFS(pageFiles, "pages/_*.html")
	if err != nil {
		s.wrong = err
		return
	}
	files, _ := fs.Glob(pageFiles, "pages/[a-z]*.html")
	for _, f := range files {
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(pageFiles, f)
		}
		if err != nil {
			s.wrong = err
			return
		}
		s.of[strings.TrimSuffix(strings.TrimPrefix(f, "pages/"), ".html")] = t
	}
}
