package hostile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
)

// Made is one image of the corpus, and what a scan of it must come to.
type Made struct {
	Number  int    `json:"number"` // of the class; 0 is a sound image
	Section string `json:"section"`
	Class   string `json:"class"`
	Case    string `json:"case"`
	Source  string `json:"source"` // docker-archive or OCI layout
	Path    string `json:"path"`   // below the folder
	// Error is the kind of error; empty where there is a document.
	Error string `json:"error,omitempty"`
	// Gaps are "code where", with "!" before those that block a verdict.
	Gaps []string `json:"gaps,omitempty"`
	// Packages are all that are found, by name; nil where only Count is known.
	Packages []string `json:"packages,omitempty"`
	Count    int      `json:"count,omitempty"`
}

// Options say which cases are written. The zero value means one of each class.
type Options struct {
	All  bool // every case
	Long bool // also those that take a minute and a gigabyte to make
}

// sound is the image that every scanner has to read.
func sound() hostile {
	return hostile{class: "control", name: "sound", want: shown("seen"), as: []imagetest.Compression{imagetest.Gzip}, kit: over(whole(tarball(npm("opt", "seen"))))}
}

// chosen gives out the cases that are images, by class. Of one that is not written in
// full it is the first that needs no lowered limit.
func (o Options) chosen(each func(c class, name string, h *hostile) error) error {
	control := sound()
	if err := each(class{section: "control", name: "sound image"}, "000", &control); err != nil {
		return err
	}
	list := corpus()
	for _, c := range classes() {
		n := 0
		for i := range list {
			h := &list[i]
			lowered := h.limits != (hostile{}).limits || h.options.Limits != nil
			if !c.has(h.class+"/"+h.name) || h.long && !o.Long || lowered && !o.All {
				continue
			}
			name := fmt.Sprintf("%03d", c.number)
			if n++; n > 1 {
				name += fmt.Sprintf("-%d", n)
			}
			if err := each(c, name, h); err != nil {
				return err
			}
			if !o.All && n == 2 { // one more where the first is kept in one kind of place
				break
			}
			if !o.All && len(ofEachKind(h.places())) > 1 {
				break
			}
		}
	}
	return nil
}

// ofEachKind takes one place of each kind.
func ofEachKind(places []where) (out []where) {
	seen := map[string]bool{}
	for _, at := range places {
		if !seen[at.kind()] {
			seen[at.kind()] = true
			out = append(out, at)
		}
	}
	return out
}

// compression is how a layer of the case is stored where one will do.
func (h *hostile) compression() imagetest.Compression {
	if h.as == nil || slices.Contains(h.as, imagetest.Gzip) {
		return imagetest.Gzip
	}
	return h.as[0]
}

// Write makes the corpus below a folder that does not exist yet: NUMBER/image.tar is a
// docker-archive, NUMBER/layout an OCI layout, and corpus.json says what they are. The
// cases that need a registry are served by [Handler]. Not safe for concurrent use with
// one folder.
func Write(dir string, o Options) ([]Made, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	var out []Made
	err := o.chosen(func(c class, name string, h *hostile) error {
		for _, at := range ofEachKind(h.places()) {
			if at.kind() == "registry" {
				continue
			}
			folder := filepath.Join(dir, name)
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			ref, free, err := h.kit(h.compression()).place(at, folder)
			free()
			if err != nil {
				return fmt.Errorf("%s %s/%s: %w", name, h.class, h.name, err)
			}
			_, file, _ := strings.Cut(ref, ":")
			file, err = filepath.Rel(dir, file)
			if err != nil {
				return err
			}
			out = append(out, made(c, h, at, file))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return nil, err
	}
	return out, os.WriteFile(filepath.Join(dir, "corpus.json"), append(text, '\n'), 0o644)
}

func made(c class, h *hostile, at where, file string) Made {
	w := h.wanted(at)
	m := Made{Number: c.number, Section: c.section, Class: c.name, Case: h.class + "/" + h.name, Source: at.kind(), Path: file}
	if w.kind != nil {
		m.Error = w.kind.Error()
		return m
	}
	m.Gaps, m.Count = w.gaps, w.count
	if w.count == 0 {
		m.Packages = slices.Clone(w.pkgs)
		if !w.blind {
			m.Packages = append(m.Packages, "witness")
		}
	}
	return m
}

// Handler serves the corpus as a registry: image NUMBER is HOST/NUMBER:latest.
func Handler(o Options) (http.Handler, error) {
	kits := map[string]http.Handler{}
	err := o.chosen(func(_ class, name string, h *hostile) error {
		if slices.ContainsFunc(h.places(), func(at where) bool { return at.kind() == "registry" }) {
			k := h.kit(h.compression())
			k.build()
			kits[name] = k.shelf()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
		name, rest, _ := strings.Cut(rest, "/")
		switch k := kits[name]; {
		case ok && name == "":
		case k == nil:
			http.NotFound(w, r)
		default:
			r.URL.Path = "/v2/app/" + rest
			k.ServeHTTP(w, r)
		}
	}), nil
}
