package scheme_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/scheme"
)

var errRefused = errors.New("refused")

func registry(tokens bool) *scheme.Registry[string] {
	host := func(_ context.Context, u *url.URL) (string, error) { return u.Host, nil }
	r := &scheme.Registry[string]{What: "thing", Form: "a://host", Drivers: "thing/b", Tokens: tokens, BuiltIn: map[string]scheme.Opener[string]{"a": host}}
	r.Register("b", func(_ context.Context, u *url.URL) (string, error) {
		return "", errors.Join(errRefused, errors.New("login as "+u.User.String()))
	})
	return r
}

func TestOpen(t *testing.T) {
	if got, err := registry(false).Open(t.Context(), "a://here"); got != "here" || err != nil {
		t.Errorf("a known scheme: %q, %v", got, err)
	}
	for _, c := range []struct {
		url    string
		tokens bool
		kind   error
		says   string
	}{
		{"://s3cret", false, fault.Invalid, "open thing: the URL cannot be parsed: want a://host"},
		{"c://s3cret@h", false, fault.Unsupported, `scheme "c": want one of a, b, or import the package of its driver, such as thing/b`},
		{"b://u:s3cret@h", false, nil, "open thing b://u:xxxxx@h: "},
		{"b://s3cret@h", true, nil, "open thing b://h: "},
	} {
		_, err := registry(c.tokens).Open(t.Context(), c.url)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", c.url, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a scheme was registered twice")
		}
	}()
	registry(false).Register("a", nil)
}

func TestQuery(t *testing.T) {
	for raw, says := range map[string]string{"x=1": "", "": "", "y=1": `query key "y" of the URL: there are x, z`, "x=1&x=2": `"x" of the URL is given twice`, "%zz": "key=value"} {
		q, err := scheme.Query(&url.URL{RawQuery: raw}, "x", "z")
		if says == "" && (err != nil || q.Get("x") != raw[min(len(raw), 2):]) || says != "" && (!errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v, %v", raw, q, err)
		}
	}
}
