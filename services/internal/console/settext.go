package console

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// jsonOf makes JSON of a text that a person wrote, in JSON or in YAML. What may stand there
// is for the API to say. An error wraps [fault.Invalid].
func jsonOf(text string) (jsontext.Value, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, fmt.Errorf("there is no text: %w", fault.Invalid)
	}
	raw := jsontext.Value(text)
	bad := raw.Compact()
	if bad == nil {
		return raw, nil
	}
	var v any
	d := yaml.NewDecoder(strings.NewReader(text))
	err := d.Decode(&v)
	switch {
	case err != nil && text[0] == '{':
		return nil, fmt.Errorf("the text is no JSON: %v: %w", bad, fault.Invalid)
	case err != nil:
		return nil, fmt.Errorf("the text is neither JSON nor YAML: %v: %w", err, fault.Invalid)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the text has more than one document: %w", fault.Invalid)
	}
	out, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("the text has what JSON has not, such as a key that is no text: %w", fault.Invalid)
	}
	return out, nil
}

// pretty writes JSON to be read and changed. Signs that nobody sees, or that turn the
// direction of what follows, are written as JSON's escapes: it means the same.
func pretty(v jsontext.Value) string {
	text := v.Clone()
	if text.Indent(jsontext.WithIndent("  ")) != nil {
		return visible(string(v))
	}
	s := string(text)
	bad := func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r))
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if !bad(r) {
			out.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, "\\u%04x", u)
		}
	}
	return out.String()
}

// prettyOf is pretty of any value.
func prettyOf(v any) string {
	text, err := httpjson.Encode(v)
	if err != nil {
		return ""
	}
	return pretty(text)
}

// said is what is wrong with what a form sent, a line each, and the status of the page that
// says so. ok is false for an error that is no matter of the form.
func said(err error) (lines []string, status int, ok bool) {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Mismatch:
		status = http.StatusUnprocessableEntity
	case fault.Limit:
		status = http.StatusRequestEntityTooLarge
	case fault.Conflict:
		status = http.StatusConflict
	}
	var remote *httpjson.Remote
	if errors.As(err, &remote) {
		if lines = texts(remote.Problem.Extra["diagnostics"]); len(lines) == 0 && remote.Problem.Detail != "" {
			lines = strings.Split(remote.Problem.Detail, "\n")
		}
		switch {
		case remote.Problem.Status == http.StatusPreconditionFailed:
			lines, status = []string{"Somebody else changed it meanwhile. Your text is kept here: load the page anew to see theirs."}, http.StatusConflict
		case errors.Is(err, fault.Forbidden) && len(lines) > 0 && status == 0 && remote.Problem.Extra["diagnostics"] != nil:
			status = http.StatusUnprocessableEntity // an address that is not allowed, not the person
		}
	}
	if status == 0 {
		return nil, 0, false
	}
	if len(lines) == 0 {
		lines = []string{reason(err)}
	}
	const most = 20
	return lines[:min(len(lines), most)], status, true
}

// texts are those of a list in a problem document.
func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// onward is the address of the next page of a list: this one's, with another beginning.
func (v *visit) onward(after string) string {
	if after == "" || after == "0" {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("done")
	for name, value := range q {
		if slices.Equal(value, []string{""}) {
			q.Del(name)
		}
	}
	q.Set("after", after)
	return v.r.URL.EscapedPath() + "?" + q.Encode()
}
