package key_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

const (
	sbom    = "https://cyclonedx.org/bom"
	verdict = "https://stella-ops.org/verdict/v1"
)

// public is the Ed25519 key of a name.
func public(t testing.TB, name string) *dsse.PublicKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := dsse.NewPublicKey(ed25519.NewKeyFromSeed(seed[:]).Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// day is the first moment of a day in January 2027.
func day(n int) time.Time { return time.Date(2027, 1, n, 0, 0, 0, 0, time.UTC) }

func TestRingAt(t *testing.T) {
	a, b, c, d := public(t, "a"), public(t, "b"), public(t, "c"), public(t, "d")
	r := key.Ring{Members: []key.Member{
		{Key: b, From: day(8), To: day(20), Purposes: []string{sbom, verdict}},
		{Key: a, From: day(1), To: day(10), Purposes: []string{key.AnyPurpose}},
		{Key: c, From: day(8), Purposes: []string{sbom}},
		{Key: d, From: day(15), Purposes: []string{sbom}, Revoked: &key.Revocation{At: day(17), Reason: "lost"}},
	}}
	third, first, second := c, b, c
	if c.KeyID() < b.KeyID() {
		first, second = c, b
	}
	const ns = time.Nanosecond
	for name, c := range map[string]struct {
		at      time.Time
		purpose string
		want    []*dsse.PublicKey
	}{
		"before all":               {day(1).Add(-ns), sbom, nil},
		"the first begins":         {day(1), sbom, []*dsse.PublicKey{a}},
		"any purpose":              {day(1), "anything", []*dsse.PublicKey{a}},
		"before the overlap":       {day(8).Add(-ns), sbom, []*dsse.PublicKey{a}},
		"the overlap begins":       {day(8), sbom, []*dsse.PublicKey{first, second, a}},
		"only one for verdicts":    {day(8), verdict, []*dsse.PublicKey{b, a}},
		"the overlap's last":       {day(10).Add(-ns), verdict, []*dsse.PublicKey{b, a}},
		"the overlap is over":      {day(10), verdict, []*dsse.PublicKey{b}},
		"one to be revoked":        {day(17).Add(-ns), sbom, []*dsse.PublicKey{d, first, second}},
		"one is revoked":           {day(17), sbom, []*dsse.PublicKey{first, second}},
		"one without end":          {day(20), sbom, []*dsse.PublicKey{third}},
		"nobody is for verdicts":   {day(20), verdict, nil},
		"no purpose":               {day(20), "", nil},
		"a purpose that ends else": {day(15), sbom + "/v1", nil},
		"a moment in another zone": {day(10).In(time.FixedZone("", 7200)), verdict, []*dsse.PublicKey{b}},
	} {
		var got []*dsse.PublicKey
		for _, m := range r.At(c.at, c.purpose) {
			got = append(got, m.Key)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, ids(got), ids(c.want))
		}
		for _, m := range r.Members {
			if err := r.Check(m.Key.KeyID(), c.at, c.purpose); (err == nil) != slices.Contains(c.want, m.Key) {
				t.Errorf("%s: check of %s: %v", name, m.Key.KeyID(), err)
			}
		}
	}
	if got := (key.Ring{}).At(day(1), sbom); got != nil {
		t.Error(got)
	}
}

func ids(keys []*dsse.PublicKey) (out []string) {
	for _, k := range keys {
		out = append(out, k.KeyID()[:8])
	}
	return out
}

func TestRingCheck(t *testing.T) {
	a := public(t, "a")
	member := func(change func(*key.Member)) key.Ring {
		m := key.Member{Key: a, From: day(2), To: day(9), Purposes: []string{sbom}}
		change(&m)
		return key.Ring{Members: []key.Member{m}}
	}
	revoked := func(at time.Time) key.Ring {
		return member(func(m *key.Member) { m.Revoked = &key.Revocation{At: at, Reason: "the disk was sold"} })
	}
	for name, c := range map[string]struct {
		r       key.Ring
		id      string
		at      time.Time
		purpose string
		want    error
	}{
		"good":                       {member(func(*key.Member) {}), a.KeyID(), day(2), sbom, nil},
		"unknown":                    {member(func(*key.Member) {}), "x", day(2), sbom, key.RefusedUnknown},
		"empty id":                   {member(func(*key.Member) {}), "", day(2), sbom, key.RefusedUnknown},
		"id in upper case":           {member(func(*key.Member) {}), strings.ToUpper(a.KeyID()), day(2), sbom, key.RefusedUnknown},
		"early":                      {member(func(*key.Member) {}), a.KeyID(), day(1), sbom, key.RefusedEarly},
		"late":                       {member(func(*key.Member) {}), a.KeyID(), day(9), sbom, key.RefusedLate},
		"zero time":                  {member(func(*key.Member) {}), a.KeyID(), time.Time{}, sbom, key.RefusedEarly},
		"another purpose":            {member(func(*key.Member) {}), a.KeyID(), day(2), verdict, key.RefusedPurpose},
		"no purposes":                {member(func(m *key.Member) { m.Purposes = nil }), a.KeyID(), day(2), sbom, key.RefusedPurpose},
		"no begin":                   {member(func(m *key.Member) { m.From = time.Time{} }), a.KeyID(), day(2), sbom, key.RefusedEarly},
		"no key":                     {member(func(m *key.Member) { m.Key = nil }), a.KeyID(), day(2), sbom, key.RefusedUnknown},
		"before a revocation":        {revoked(day(5)), a.KeyID(), day(5).Add(-1), sbom, nil},
		"at a revocation":            {revoked(day(5)), a.KeyID(), day(5), sbom, key.RefusedRevoked},
		"after a revocation":         {revoked(day(5)), a.KeyID(), day(6), sbom, key.RefusedRevoked},
		"revoked and late":           {revoked(day(5)), a.KeyID(), day(10), sbom, key.RefusedRevoked},
		"revoked for ever":           {revoked(time.Time{}), a.KeyID(), day(2), sbom, key.RefusedRevoked},
		"revoked before it began":    {revoked(day(1)), a.KeyID(), day(2), sbom, key.RefusedRevoked},
		"revoked after it ended":     {revoked(day(20)), a.KeyID(), day(9), sbom, key.RefusedLate},
		"another purpose of a thief": {revoked(day(5)), a.KeyID(), day(6), verdict, key.RefusedRevoked},
	} {
		err := c.r.Check(c.id, c.at, c.purpose)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || err != nil && !errors.Is(err, key.ErrMismatch) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestKeyAndTime: a key's validity at the time that an authority saw the
// signature, and not at the time of verifying.
func TestKeyAndTime(t *testing.T) {
	a := public(t, "a")
	ring := func(revoked *key.Revocation) key.Ring {
		return key.Ring{Members: []key.Member{{Key: a, From: day(2), To: day(9), Purposes: []string{sbom}, Revoked: revoked}}}
	}
	since := func(n int) *key.Revocation { return &key.Revocation{At: day(n), Reason: "stolen"} }
	for name, c := range map[string]struct {
		stamped time.Time
		revoked *key.Revocation
		want    error
	}{
		"within":                     {day(3), nil, nil},
		"at the begin":               {day(2), nil, nil},
		"a second before the begin":  {day(2).Add(-time.Second), nil, key.RefusedEarly},
		"a second before the end":    {day(9).Add(-time.Second), nil, nil},
		"at the end":                 {day(9), nil, key.RefusedLate},
		"stamped before revocation":  {day(4), since(5), nil},
		"a second before revocation": {day(5).Add(-time.Second), since(5), nil},
		"at revocation":              {day(5), since(5), key.RefusedRevoked},
		"after revocation":           {day(6), since(5), key.RefusedRevoked},
		"revoked after the end":      {day(8), since(20), nil},
		"revoked for ever":           {day(4), &key.Revocation{Reason: "weak"}, key.RefusedRevoked},
	} {
		tsa, err := timestamptest.New(&timestamptest.Options{Now: func() time.Time { return c.stamped }})
		if err != nil {
			t.Fatal(err)
		}
		token, err := tsa.Stamp([]byte("signature"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := timestamp.Verify(token, []byte("signature"), []*timestamp.Authority{tsa.Authority()})
		if err != nil {
			t.Fatal(err)
		}
		if err := ring(c.revoked).Check(a.KeyID(), s.Time, sbom); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestRotate(t *testing.T) {
	a, b, c := public(t, "a"), public(t, "b"), public(t, "c")
	r := key.Ring{Members: []key.Member{
		{Key: a, From: day(1), Purposes: []string{sbom}},
		{Key: c, From: day(1), Purposes: []string{verdict}},
	}}
	next := key.Member{Key: b, From: day(10), Purposes: []string{sbom}}
	got, err := r.Rotate(next, 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		at   time.Time
		want []*dsse.PublicKey
	}{
		{day(9), []*dsse.PublicKey{a}}, {day(10), []*dsse.PublicKey{b, a}}, {day(12).Add(-1), []*dsse.PublicKey{b, a}}, {day(12), []*dsse.PublicKey{b}},
	} {
		var keys []*dsse.PublicKey
		for _, m := range got.At(s.at, sbom) {
			keys = append(keys, m.Key)
		}
		if !slices.Equal(keys, s.want) {
			t.Errorf("%s: %v, want %v", s.at, ids(keys), ids(s.want))
		}
	}
	if err := got.Check(c.KeyID(), day(30), verdict); err != nil {
		t.Errorf("a key for other purposes ended: %v", err)
	}
	if !r.Members[0].To.IsZero() {
		t.Error("the ring before was changed")
	}
	if _, err := got.Rotate(next, 0); !errors.Is(err, key.ErrConflict) {
		t.Errorf("again: %v", err)
	}
	if _, err := r.Rotate(next, -time.Second); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("a negative overlap: %v", err)
	}
	if _, err := r.Rotate(key.Member{Key: b, Purposes: []string{sbom}}, 0); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("no begin: %v", err)
	}
	if _, err := r.Rotate(key.Member{}, 0); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	a := public(t, "a")
	r := key.Ring{Members: []key.Member{{Key: a, From: day(1), Purposes: []string{sbom}}}}
	got, err := r.Revoke(a.KeyID(), key.Revocation{At: day(5), Reason: "stolen"})
	if err != nil || !errors.Is(got.Check(a.KeyID(), day(5), sbom), key.RefusedRevoked) || r.Members[0].Revoked != nil {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := got.Revoke(a.KeyID(), key.Revocation{At: day(6), Reason: "no"}); !errors.Is(err, key.ErrConflict) {
		t.Errorf("later: %v", err)
	}
	for _, at := range []time.Time{day(4), {}} {
		if earlier, err := got.Revoke(a.KeyID(), key.Revocation{At: at, Reason: "worse"}); err != nil || !errors.Is(earlier.Check(a.KeyID(), day(4), sbom), key.RefusedRevoked) {
			t.Errorf("earlier: %v", err)
		}
	}
	if _, err := r.Revoke("x", key.Revocation{Reason: "x"}); !errors.Is(err, key.ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.Revoke(a.KeyID(), key.Revocation{At: day(5)}); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("no reason: %v", err)
	}
}

// drawRing draws a ring that can be written.
func drawRing(t *rapid.T, keys []*dsse.PublicKey) key.Ring {
	r := key.Ring{Members: []key.Member{}}
	for _, k := range rapid.Permutation(keys).Draw(t, "keys")[:rapid.IntRange(0, len(keys)).Draw(t, "n")] {
		m := key.Member{Key: k, From: day(rapid.IntRange(1, 20).Draw(t, "from"))}
		if rapid.Bool().Draw(t, "ends") {
			m.To = m.From.Add(time.Duration(rapid.IntRange(1, 900000).Draw(t, "for")) * time.Second)
		}
		m.Purposes = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{sbom, verdict, key.AnyPurpose, "é", "a b"}), 1, 3, rapid.ID).Draw(t, "purposes")
		if rapid.Bool().Draw(t, "is revoked") {
			m.Revoked = &key.Revocation{Reason: rapid.StringN(1, 10, 40).Draw(t, "reason")}
			if rapid.Bool().Draw(t, "since") {
				m.Revoked.At = day(rapid.IntRange(1, 28).Draw(t, "at"))
			}
		}
		r.Members = append(r.Members, m)
	}
	return r
}

// TestRingThroughJSON: what is read is what was written, in whatever order its
// members were, and decides alike.
func TestRingThroughJSON(t *testing.T) {
	keys := []*dsse.PublicKey{public(t, "a"), public(t, "b"), public(t, "c"), public(t, "d")}
	compare := cmp.Comparer(func(a, b *dsse.PublicKey) bool { return a.KeyID() == b.KeyID() })
	rapid.Check(t, func(t *rapid.T) {
		r := drawRing(t, keys)
		text, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.DecodeRing(text)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := key.Ring{Members: rapid.Permutation(r.Members).Draw(t, "order")}
		for i := range shuffled.Members {
			shuffled.Members[i].From = shuffled.Members[i].From.In(time.FixedZone("", 3600))
		}
		for _, same := range []key.Ring{got, shuffled} {
			if again, err := same.Encode(); err != nil || string(again) != string(text) {
				t.Fatalf("%s, then %s, %v", text, again, err)
			}
		}
		at := day(rapid.IntRange(1, 30).Draw(t, "when"))
		purpose := rapid.SampledFrom([]string{sbom, verdict, "é", "x"}).Draw(t, "purpose")
		if d := cmp.Diff(r.At(at, purpose), got.At(at, purpose), compare, cmp.Comparer(func(a, b []string) bool {
			return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
		})); d != "" {
			t.Fatal(d)
		}
	})
}

func TestDecodeRing(t *testing.T) {
	der := base64.StdEncoding.EncodeToString(public(t, "a").DER())
	member := func(rest string) string {
		return fmt.Sprintf(`{"format":1,"keys":[{"key":"%s","from":"2027-01-01T00:00:00Z","purposes":["*"]%s}]}`, der, rest)
	}
	for name, c := range map[string]struct {
		text string
		err  error
	}{
		"empty":               {`{"format":1,"keys":[]}`, nil},
		"one":                 {member(""), nil},
		"white space":         {" " + member(" ") + "\n", nil},
		"an end":              {member(`,"to":"2027-01-02T00:00:00Z"`), nil},
		"revoked":             {member(`,"revoked":{"reason":"x"}`), nil},
		"nothing":             {``, key.ErrInvalid},
		"null":                {`null`, key.ErrUnsupported},
		"no format":           {`{"keys":[]}`, key.ErrUnsupported},
		"format 2":            {`{"format":2,"keys":[]}`, key.ErrUnsupported},
		"no keys":             {`{"format":1}`, key.ErrInvalid},
		"unknown member":      {`{"format":1,"keys":[],"x":1}`, key.ErrInvalid},
		"unknown of a key":    {member(`,"x":1`), key.ErrInvalid},
		"member twice":        {`{"format":1,"keys":[],"keys":[]}`, key.ErrInvalid},
		"text after":          {member("") + "x", key.ErrInvalid},
		"same key twice":      {strings.Replace(member(""), "[{", "["+strings.TrimSuffix(strings.TrimPrefix(member(""), `{"format":1,"keys":[`), `]}`)+",{", 1), key.ErrInvalid},
		"no key":              {`{"format":1,"keys":[{"from":"2027-01-01T00:00:00Z","purposes":["*"]}]}`, key.ErrInvalid},
		"no begin":            {strings.Replace(member(""), `"from":"2027-01-01T00:00:00Z",`, "", 1), key.ErrInvalid},
		"an empty begin":      {strings.Replace(member(""), "2027-01-01T00:00:00Z", "", 1), key.ErrInvalid},
		"no purposes":         {strings.Replace(member(""), `["*"]`, "[]", 1), key.ErrInvalid},
		"an empty purpose":    {strings.Replace(member(""), `["*"]`, `[""]`, 1), key.ErrInvalid},
		"a purpose twice":     {strings.Replace(member(""), `["*"]`, `["a","a"]`, 1), key.ErrInvalid},
		"a long purpose":      {strings.Replace(member(""), `["*"]`, `["`+strings.Repeat("a", key.MaxPurpose+1)+`"]`, 1), key.ErrLimit},
		"another zone":        {strings.Replace(member(""), "00Z", "00+00:00", 1), key.ErrInvalid},
		"a fraction":          {strings.Replace(member(""), "00Z", "00.5Z", 1), key.ErrInvalid},
		"a day that is not":   {strings.Replace(member(""), "-01-01T", "-02-30T", 1), key.ErrInvalid},
		"the year 0":          {strings.Replace(member(""), "2027", "0000", 1), key.ErrInvalid},
		"an empty end":        {member(`,"to":""`), key.ErrInvalid},
		"an end at the begin": {member(`,"to":"2027-01-01T00:00:00Z"`), key.ErrInvalid},
		"an end before":       {member(`,"to":"2026-01-01T00:00:00Z"`), key.ErrInvalid},
		"revoked, no reason":  {member(`,"revoked":{}`), key.ErrInvalid},
		"revoked, long":       {member(`,"revoked":{"reason":"` + strings.Repeat("x", key.MaxReason+1) + `"}`), key.ErrLimit},
		"revoked at noon":     {member(`,"revoked":{"reason":"x","at":"noon"}`), key.ErrInvalid},
		"a key cut":           {strings.Replace(member(""), der, der[:20], 1), key.ErrInvalid},
		"too long":            {strings.Repeat(" ", key.MaxRing) + member(""), key.ErrLimit},
		"too many":            {`{"format":1,"keys":[` + strings.Repeat(`{},`, key.MaxRingKeys) + `{}]}`, key.ErrLimit},
	} {
		if _, err := key.DecodeRing([]byte(c.text)); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	over := key.Ring{}
	for i := range key.MaxRingKeys + 1 {
		over.Members = append(over.Members, key.Member{Key: public(t, fmt.Sprint(i)), From: day(1), Purposes: []string{"*"}})
	}
	if _, err := over.Encode(); !errors.Is(err, key.ErrLimit) {
		t.Errorf("too many: %v", err)
	}
	odd := key.Ring{Members: []key.Member{{Key: public(t, "a"), From: day(1).Add(1), Purposes: []string{"*"}}}}
	if _, err := odd.Encode(); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("a fraction: %v", err)
	}
}

func FuzzDecodeRing(f *testing.F) {
	r := key.Ring{Members: []key.Member{
		{Key: public(f, "a"), From: day(1), To: day(9), Purposes: []string{sbom, "*"}, Revoked: &key.Revocation{At: day(3), Reason: "x"}},
		{Key: public(f, "b"), From: day(2), Purposes: []string{sbom}},
	}}
	text, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":1,"keys":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := key.DecodeRing(text)
		if err != nil {
			if !errors.Is(err, key.ErrInvalid) && !errors.Is(err, key.ErrUnsupported) && !errors.Is(err, key.ErrLimit) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		one, err := r.Encode()
		if errors.Is(err, key.ErrLimit) {
			return // escapes made it longer
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := key.DecodeRing(one)
		if err != nil {
			t.Fatal(err)
		}
		if two, err := again.Encode(); err != nil || string(one) != string(two) {
			t.Fatalf("%s, then %s, %v", one, two, err)
		}
	})
}

// A ring that was made by hand can have a key twice: what one of the members forbids is
// forbidden.
func TestKeyTwice(t *testing.T) {
	k := public(t, "p256")
	good := key.Member{Key: k, From: day(1), Purposes: []string{key.AnyPurpose}}
	revoked, late, narrow := good, good, good
	revoked.Revoked, late.To, narrow.Purposes = &key.Revocation{Reason: "lost"}, day(2), []string{"other"}
	for want, bad := range map[key.Refusal]key.Member{key.RefusedRevoked: revoked, key.RefusedLate: late, key.RefusedPurpose: narrow} {
		for _, r := range []key.Ring{{Members: []key.Member{good, bad}}, {Members: []key.Member{bad, good}}} {
			if err := r.Check(k.KeyID(), day(3), "purpose"); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
	}
	if err := (key.Ring{Members: []key.Member{good, good}}).Check(k.KeyID(), day(3), "purpose"); err != nil {
		t.Error(err)
	}
}
