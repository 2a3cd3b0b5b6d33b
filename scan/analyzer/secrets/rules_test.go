package secrets_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/secrets"
)

// small is a bundle of one rule.
const small = `format: 1
name: shop
version: '1'
skip: ['srv/ignored/**']
stopwords: [example]
rules:
- id: shop-token
  title: Token of the shop
  severity: high
  keywords: [shop_]
  regexp: '\b(?P<secret>shop_[0-9a-f]{16})\b'
  entropy: 2500
  examples:
    match: ['token = shop_<hex 16>']
    miss: ['shop_<hex 8>']
`

// TestDefault: every rule that is compiled in finds its examples and leaves alone what it
// must.
func TestDefault(t *testing.T) {
	r := secrets.Default()
	if n := len(r.Rules()); n < 100 {
		t.Errorf("%d rules", n)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

// TestOwnRules: the file of the rules that are compiled in has nothing that they find.
func TestOwnRules(t *testing.T) {
	facts, err := secrets.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("rules.yaml", secrets.Default().JSON()))
	for _, f := range facts {
		t.Errorf("%+v", *f.Secret)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	r, err := secrets.Parse("small", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	again, err := secrets.Parse("small", r.JSON())
	if err != nil || again.Digest() != r.Digest() || !bytes.Equal(again.JSON(), r.JSON()) {
		t.Errorf("%v: %s\n%s", err, again.JSON(), r.JSON())
	}
	if r.Name() != "shop 1" || r.Signers() != nil {
		t.Error(r.Name(), r.Signers())
	}
	replace := func(old, by string) string {
		if !strings.Contains(small, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(small, old, by, 1)
	}
	many := func(n int, item string) string { return "[" + strings.Repeat(item+", ", n) + item + "]" }
	for name, tt := range map[string]struct {
		text string
		kind error
		want string
	}{
		"empty":          {"", secrets.ErrInvalid, "empty"},
		"two":            {small + "---\na: 1\n", secrets.ErrInvalid, "second document"},
		"format":         {replace("format: 1", "format: 2"), secrets.ErrUnsupported, "format 2"},
		"unknown":        {replace("  title:", "  titel:"), secrets.ErrInvalid, "titel"},
		"twice":          {replace("  title:", "  title: a\n  title:"), secrets.ErrInvalid, "title"},
		"alias":          {replace("[example]", "&a [example]"), secrets.ErrInvalid, "line 5"},
		"tag":            {replace("version: '1'", "version: !!str 1"), secrets.ErrInvalid, "tags"},
		"number as text": {replace("version: '1'", "version: 1.0"), secrets.ErrInvalid, "line 3"},
		"nothing":        {replace("version: '1'", "version:"), secrets.ErrInvalid, "line 3"},
		"name":           {replace("name: shop", "name: 'Shop X'"), secrets.ErrInvalid, "name"},
		"same id":        {small + small[strings.Index(small, "- id"):], secrets.ErrInvalid, `rule 2 ("shop-token"): id`},
		"severity":       {replace("severity: high", "severity: hihg"), secrets.ErrInvalid, `rule 1 ("shop-token"): severity`},
		"regexp":         {replace("{16})", "{16}"), secrets.ErrInvalid, `rule 1 ("shop-token"): regexp`},
		"large regexp":   {replace("{16})", "{16}(?:[a-z]{100}){10})"), nil, ""},
		"huge regexp":    {replace("{16})", "{16}"+strings.Repeat("[a-c]{1000}", 6)+")"), secrets.ErrLimit, "instructions"},
		"long regexp":    {replace("{16})", "{16}"+strings.Repeat("a", 5000)+")"), secrets.ErrInvalid, "5033 bytes"},
		"other group":    {replace("?P<secret>", "?P<secrets>"), secrets.ErrInvalid, `"secrets"`},
		"two groups":     {replace("{16})", "{16})(?P<secret>a)?"), secrets.ErrInvalid, "regexp"},
		"no keywords":    {replace("[shop_]", "[]"), secrets.ErrInvalid, "keywords"},
		"short keyword":  {replace("[shop_]", "[ab]"), secrets.ErrInvalid, "keywords[0]"},
		"many keywords":  {replace("[shop_]", many(40, "shop_")), secrets.ErrInvalid, "keywords"},
		"entropy":        {replace("2500", "9000"), secrets.ErrInvalid, "entropy"},
		"negative":       {replace("2500", "-1"), secrets.ErrInvalid, "entropy"},
		"lines":          {replace("  entropy: 2500", "  lines: 17"), secrets.ErrInvalid, "lines"},
		"max":            {replace("  entropy: 2500", "  max: 5000"), secrets.ErrInvalid, "max"},
		"glob":           {replace("srv/ignored/**", "/srv/**"), secrets.ErrInvalid, "skip[0]"},
		"rule's glob":    {replace("  entropy: 2500", "  paths: ['**x']"), secrets.ErrInvalid, `rule 1 ("shop-token"): paths[0]`},
		"stopword":       {replace("[example]", "[ab]"), secrets.ErrInvalid, "stopwords[0]"},
		"allow":          {replace("  entropy: 2500", "  allow: ['(']"), secrets.ErrInvalid, "allow[0]"},
		"many globs":     {replace("['srv/ignored/**']", many(600, "a")), secrets.ErrInvalid, "skip"},
		"no examples":    {replace("    miss: ['shop_<hex 8>']\n", ""), secrets.ErrInvalid, "examples.miss"},
		"filler":         {replace("<hex 16>'", "<hexx 16>'"), secrets.ErrInvalid, "examples.match[0]"},
		"no rules":       {small[:strings.Index(small, "- id")], secrets.ErrInvalid, "line 6"},
		"max_file":       {replace("skip:", "max_file: 99999999999\nskip:"), secrets.ErrInvalid, "99999999999"},
		"not UTF-8":      {small + "# \xff", secrets.ErrInvalid, "UTF-8"},
		"large":          {small + strings.Repeat("#\n", 3<<20), secrets.ErrLimit, "bytes"},
		"deep":           {replace("[example]", strings.Repeat("[", 40)+strings.Repeat("]", 40)), secrets.ErrLimit, "nested"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := secrets.Parse("small", []byte(tt.text))
			if tt.kind == nil && err != nil || tt.kind != nil && (!errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %v with %q", err, tt.kind, tt.want)
			}
		})
	}
}

// TestCheck: examples that fail are named.
func TestCheck(t *testing.T) {
	for old, want := range map[string]string{"match: ['token = shop_<hex 16>']": `"shop-token": match[0]`, "miss: ['shop_<hex 8>']": `"shop-token": miss[1]`} {
		by := strings.Replace(strings.Replace(old, "match: ['token = shop_<hex 16>']", "match: ['nothing']", 1), "['shop_<hex 8>']", "['nothing', 'shop_<hex 16>']", 1)
		r, err := secrets.Parse("small", []byte(strings.Replace(small, old, by, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(); !errors.Is(err, secrets.ErrMismatch) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := r.Sign(context.Background(), newKey(t, 1)); !errors.Is(err, secrets.ErrMismatch) {
			t.Errorf("it is signed: %v", err)
		}
	}
}

func newKey(t *testing.T, seed byte) *dsse.PrivateKey {
	t.Helper()
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpen(t *testing.T) {
	r, err := secrets.Parse("small", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	ctx, a, b := context.Background(), newKey(t, 1), newKey(t, 2)
	trust := dsse.Trust{Threshold: 2, Keys: []dsse.Verifier{a.Public(), b.Public(), newKey(t, 3).Public()}}
	both, err := r.Sign(ctx, a, b)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := secrets.Open(both, trust)
	if err != nil || opened.Digest() != r.Digest() || len(opened.Signers()) != 2 {
		t.Fatalf("%v, signed by %q", err, opened.Signers())
	}
	one, err := r.Sign(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	envelope := func(payloadType, payload string) []byte {
		e, err := dsse.Sign(ctx, payloadType, []byte(payload), a, b)
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	stranger, err := r.Sign(ctx, newKey(t, 4), newKey(t, 5))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text []byte
		kind error
		want string
	}{
		"not signed":   {r.JSON(), secrets.ErrInvalid, "payload is missing"},
		"by one":       {one, secrets.ErrMismatch, "signed by 1 of 3 trusted keys, want 2"},
		"by strangers": {stranger, secrets.ErrMismatch, "signed by 0 of 3"},
		"another type": {envelope("application/vnd.in-toto+json", string(r.JSON())), secrets.ErrMismatch, "payload type"},
		"changed":      {bytes.Replace(both, []byte(`"payload":"ey`), []byte(`"payload":"eW`), 1), secrets.ErrMismatch, "signed by 0"},
		"YAML":         {envelope(secrets.PayloadType, small), secrets.ErrInvalid, "rules signed by"},
		"nonsense":     {envelope(secrets.PayloadType, `{"format":1,"name":"a","version":"1","rules":[]}`), secrets.ErrInvalid, "rules"},
	} {
		if _, err := secrets.Open(tt.text, trust); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %v with %q", name, err, tt.kind, tt.want)
		}
	}
	if _, err := secrets.Open(both, dsse.Trust{Keys: trust.Keys}); !errors.Is(err, secrets.ErrInvalid) {
		t.Errorf("no threshold: %v", err)
	}
}

// TestIdentity: other rules are another analyzer, whose facts are kept apart.
func TestIdentity(t *testing.T) {
	seen := map[string]string{}
	for name, text := range map[string]string{"small": small, "version": strings.Replace(small, "'1'", "'2'", 1), "entropy": strings.Replace(small, "2500", "2501", 1)} {
		r, err := secrets.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		id := analyzer.NewSet(secrets.Analyzer{Rules: r}).Identity()
		if other := seen[id]; other != "" {
			t.Errorf("%s is %s", name, other)
		}
		seen[id] = name
	}
	if a, b := analyzer.NewSet(secrets.Analyzer{}).Identity(), analyzer.NewSet(secrets.Analyzer{Rules: secrets.Default()}).Identity(); a != b || seen[a] != "" {
		t.Error(a, b)
	}
}

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(secrets.Analyzer{})
	for path, want := range map[string]bool{"a": true, "srv/app/.env": true, "usr/share/doc/a/copyright": false, "usr/share/locale/de/LC_MESSAGES/a.mo": false, "etc/passwd": true, "var/lib/dpkg/status": false} {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s is wanted: %v", path, got)
		}
	}
	if !set.Forward([]int{0}) {
		t.Error("it does not read forwards only")
	}
}

// TestLimits: what is not searched, and what is not reported, is told.
func TestLimits(t *testing.T) {
	r, err := secrets.Parse("small", []byte(strings.Replace(strings.Replace(small, "skip:", "max_file: 100000\nskip:", 1), "  entropy: 2500", "  max: 3", 1)))
	if err != nil {
		t.Fatal(err)
	}
	a := secrets.Analyzer{Rules: r}
	var found strings.Builder
	for i := range 5 {
		fmt.Fprintf(&found, "shop_%016x\n", i+0x1234567)
	}
	for name, tt := range map[string]struct {
		data  string
		facts int
		want  string
	}{
		"large text":   {strings.Repeat("a line\n", 20_000), 0, "bytes of a text"},
		"large binary": {"\x00" + strings.Repeat("a line\n", 20_000), 0, ""},
		"many":         {found.String(), 3, "findings of the rule shop-token"},
		"at the limit": {strings.Repeat("a", 100_000), 0, ""},
	} {
		facts, err := a.Extract(context.Background(), analyzer.NewMemoryFile("a", []byte(tt.data)))
		if len(facts) != tt.facts || (err == nil) != (tt.want == "") || err != nil && (!errors.Is(err, secrets.ErrLimit) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %d facts, %v", name, len(facts), err)
		}
	}
}

func TestCost(t *testing.T) {
	repeat := func(s string) func(int) string { return func(n int) string { return strings.Repeat(s, n) } }
	analyzertest.TestCost(t, secrets.Analyzer{},
		analyzertest.Growth{Name: "lines, up to 64 MiB", Path: "a", Data: repeat(strings.Repeat("an ordinary line of some text, as there are many in every program; nothing is here\n", 24))},
		analyzertest.Growth{Name: "one line", Path: "a", Data: repeat("an ordinary line of some text, as there are many in every program; nothing is here ")},
		analyzertest.Growth{Name: "keywords in lines", Path: "a", Data: repeat("password = secret token\n")},
		analyzertest.Growth{Name: "keywords in one line", Path: "a", Data: repeat("password = secret token ")},
		analyzertest.Growth{Name: "newlines", Path: "a", Data: repeat("\n\n\n\n\n\n\n\n")},
		analyzertest.Growth{Name: "beginnings of keys", Path: "a", Data: repeat("-----BEGIN<> PRIVATE KEY-----\nMIIE\n")},
		analyzertest.Growth{Name: "addresses", Path: "a", Data: repeat("https://a:")},
		analyzertest.Growth{Name: "UTF-16", Path: "a", Data: func(n int) string {
			return "\xff\xfe" + strings.Repeat("p\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00=\x00\n\x00", n)
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, secrets.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: "a"},
		analyzertest.Hostile{Name: "one long line", Path: "a", Data: strings.Repeat("a", 8<<20)},
		analyzertest.Hostile{Name: "binary", Path: "a", Data: strings.Repeat("\x00", 1<<20)},
		analyzertest.Hostile{Name: "no characters", Path: "a", Data: strings.Repeat("\xff", 1<<20)},
		analyzertest.Hostile{Name: "halves of pairs", Path: "a", Data: "\xff\xfe" + strings.Repeat("\x00\xd8", 1<<18)},
	)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	r, err := secrets.Parse("small", []byte(small))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.JSON())
	f.Add([]byte("format: 1\nname: a\nversion: b\nrules:\n- {id: a, title: b, severity: low, keywords: [abc], regexp: 'abc(?s:.*)x', lines: 3, examples: {match: [abc<digit 5>x], miss: [b]}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := secrets.Parse("fuzz", text)
		if err != nil {
			if !errors.Is(err, secrets.ErrInvalid) && !errors.Is(err, secrets.ErrUnsupported) && !errors.Is(err, secrets.ErrLimit) {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		again, err := secrets.Parse("fuzz", r.JSON())
		if err != nil || again.Digest() != r.Digest() {
			t.Fatalf("%v: the canonical text is another bundle: %s", err, r.JSON())
		}
		if a, b := r.Check(), again.Check(); (a == nil) != (b == nil) {
			t.Fatalf("%v, %v", a, b)
		}
	})
}
