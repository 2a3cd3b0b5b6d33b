package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
)

func TestLibrary(t *testing.T) {
	var templates []notify.Template
	for _, k := range []string{"|", "|fr", "|pt", "ops|", "ops|fr", "ops|pt-BR", "solo|de"} {
		name, locale, _ := strings.Cut(k, "|")
		templates = append(templates, notify.Template{ID: k, Type: "slack", Name: name, Locale: locale, Parts: map[string]string{"a": "own " + k}})
	}
	templates = append(templates, notify.Template{ID: "other", Type: "teams", Name: "ops", Parts: map[string]string{"a": "wrong type"}})
	parts := []Part{{"a", Plain, 0, "standard"}, {"b", Plain, 0, "b"}}
	l, err := NewLibrary("slack", parts, templates)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := NewLibrary("slack", parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		l                  *Library
		name, locale, want string
		notes              []string
	}{
		{l, "", "", "own |", nil},
		{l, "", "fr", "own |fr", nil},
		{l, "", "fr-CA", "own |fr", nil},
		{l, "", "pt_BR", "own |pt", nil},
		{l, "", "de", "own |", []string{`there is no template for the locale "de"`}},
		{l, "ops", "", "own ops|", nil},
		{l, "ops", "fr", "own ops|fr", nil},
		{l, "ops", "PT-br", "own ops|pt-BR", nil},
		{l, "ops", "pt", "own ops|", []string{`there is no template "ops" for the locale "pt"`}},
		{l, "solo", "de", "own solo|de", nil},
		{l, "solo", "fr", "own |fr", []string{`there is no template "solo"`}},
		{l, "none", "pt-BR", "own |pt", []string{`there is no template "none"`}},
		{l, "none", "", "own |", []string{`there is no template "none"`}},
		{bare, "", "", "standard", nil},
		{bare, "x", "fr", "standard", []string{`there is no template "x"`, `there is no template for the locale "fr"`}},
	} {
		out, notes, err := tt.l.Render(&notify.Message{Template: tt.name, Locale: tt.locale})
		if err != nil || out["a"] != tt.want || out["b"] != "b" || cmp.Diff(tt.notes, notes) != "" {
			t.Errorf("%s|%s: %q %q %v, want %q", tt.name, tt.locale, out, notes, err, tt.want)
		}
	}
	if _, _, err := l.Render(nil); err == nil {
		t.Error("nil passes")
	}
}
