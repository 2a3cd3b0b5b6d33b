package attest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	rfc3161 "github.com/digitorus/timestamp"
)

// checker checks bundles by what the specifications say, and by nothing of what is tested:
// it is as slow and as simple as it can be. It is no stricter than they are, so what the
// verifier takes it must take.
type checker struct {
	keys      []slowKey
	logs      []note
	witnesses []note
	threshold int
	stampers  []*x509.Certificate // leaf, intermediate, root
	now       time.Time
}

// slowKey may sign anything.
type slowKey struct {
	public            crypto.PublicKey
	from, to, revoked time.Time // zero: no end, not revoked
}

// slowWant is what is expected.
type slowWant struct {
	subject, predicate string
	logged, stamped    bool
	threshold          int
	unknown            bool
}

// slowFound is what was found.
type slowFound struct {
	payload   []byte
	signers   []string
	predicate string
}

var errSlow = errors.New("refused")

func no(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errSlow)
}

// tree reads JSON in which no name occurs twice (RFC 8259, and I-JSON).
func readJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, no("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readValue(d)
	if err != nil {
		return nil, no("%v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, no("something behind it")
	}
	return v, nil
}

func readValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		out := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			if _, twice := out[name.(string)]; twice {
				return nil, no("%q twice", name)
			}
			if out[name.(string)], err = readValue(d); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return out, err
	case json.Delim('['):
		out := []any{}
		for d.More() {
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err := d.Token()
		return out, err
	}
	return t, nil
}

// get follows names and indexes; nil where there is nothing.
func get(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			a, _ := v.([]any)
			if p >= len(a) {
				return nil
			}
			v = a[p]
		}
	}
	return v
}

func getString(v any, path ...any) string { s, _ := get(v, path...).(string); return s }

func getList(v any, path ...any) []any { a, _ := get(v, path...).([]any); return a }

// getInt reads an int64 of proto JSON, as a string or a number of digits.
func getInt(v any, path ...any) (int64, error) {
	switch x := get(v, path...).(type) {
	case nil:
		return 0, nil
	case string:
		return strconv.ParseInt(x, 10, 64)
	case json.Number:
		return strconv.ParseInt(string(x), 10, 64)
	}
	return 0, no("no number")
}

// letters are the two alphabets of base64, one letter at a time.
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// getBytes reads base64 of either alphabet (RFC 4648), padded or not, without anything
// left over.
func getBytes(v any, path ...any) ([]byte, error) {
	s := getString(v, path...)
	s = strings.TrimRight(strings.NewReplacer("\r", "", "\n", "").Replace(s), "=")
	var out []byte
	bits, n := 0, 0
	for _, c := range strings.NewReplacer("-", "+", "_", "/").Replace(s) {
		i := strings.IndexRune(letters, c)
		if i < 0 {
			return nil, no("%q is no letter of base64", c)
		}
		bits, n = bits<<6|i, n+6
		if n >= 8 {
			n -= 8
			out = append(out, byte(bits>>n))
			bits &= 1<<n - 1
		}
	}
	if bits != 0 || n >= 6 {
		return nil, no("base64 with something left over")
	}
	return out, nil
}

func verifies(public crypto.PublicKey, message, sig []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize == 384 {
			h := sha512.Sum384(message)
			return ecdsa.VerifyASN1(k, h[:], sig)
		}
		h := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k, h[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	}
	return false
}

// check verifies an envelope or a bundle.
func (s *checker) check(text []byte, want slowWant) (*slowFound, error) {
	v, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	envelope, bundled := v, false
	if get(v, "payloadType") == nil {
		envelope, bundled = get(v, "dsseEnvelope"), true
		if !strings.HasPrefix(getString(v, "mediaType"), "application/vnd.dev.sigstore.bundle") || get(v, "messageSignature") != nil {
			return nil, no("no bundle of an envelope")
		}
	}
	payload, err := getBytes(envelope, "payload")
	if err != nil {
		return nil, err
	}
	if getString(envelope, "payloadType") != "application/vnd.in-toto+json" {
		return nil, no("payload type")
	}
	message := pae("application/vnd.in-toto+json", payload)
	var times []time.Time
	signature, err := getBytes(envelope, "signatures", 0, "sig")
	if err != nil {
		return nil, err
	}
	for _, t := range getList(v, "verificationMaterial", "timestampVerificationData", "rfc3161Timestamps") {
		token, err := getBytes(t, "signedTimestamp")
		if err != nil {
			return nil, err
		}
		at, err := s.stamp(token, signature)
		if err != nil && want.unknown {
			continue
		}
		if err != nil {
			return nil, err
		}
		times = append(times, at)
	}
	if want.stamped && len(times) == 0 {
		return nil, no("no timestamp")
	}
	out := &slowFound{payload: payload}
	var signer crypto.PublicKey
	for _, k := range s.keys {
		signed := slices.ContainsFunc(getList(envelope, "signatures"), func(e any) bool {
			sig, err := getBytes(e, "sig")
			return err == nil && verifies(k.public, message, sig)
		})
		if signed && k.good(append(times, s.now)[:max(len(times), 1)]) {
			out.signers, signer = append(out.signers, idOf(k.public)), k.public
		}
	}
	slices.Sort(out.signers)
	if len(out.signers) < max(want.threshold, 1) {
		return nil, no("%d signed", len(out.signers))
	}
	logged := 0
	for i := range getList(v, "verificationMaterial", "tlogEntries") {
		e := get(v, "verificationMaterial", "tlogEntries", i)
		err := s.entry(e, payload, message, signature, signer)
		if err != nil && !want.unknown {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if err == nil {
			logged++
		}
	}
	if want.logged && (logged == 0 || !bundled) {
		return nil, no("no entry")
	}
	return out, s.statement(out, want)
}

func (k *slowKey) good(times []time.Time) bool {
	for _, t := range times {
		if t.Before(k.from) || !k.to.IsZero() && !t.Before(k.to) || !k.revoked.IsZero() && !t.Before(k.revoked) {
			return false
		}
	}
	return true
}

// statement holds the payload against what is expected (in-toto Statement v1).
func (s *checker) statement(f *slowFound, want slowWant) error {
	v, err := readJSON(f.payload)
	if err != nil {
		return err
	}
	if t := getString(v, "_type"); t != "https://in-toto.io/Statement/v1" && t != "https://in-toto.io/Statement/v0.1" {
		return no("type %q", t)
	}
	if f.predicate = getString(v, "predicateType"); f.predicate == "" || want.predicate != "" && f.predicate != want.predicate && !strings.HasPrefix(f.predicate, want.predicate+"/v") {
		return no("predicate %q", f.predicate)
	}
	if want.subject == "" {
		return nil
	}
	for i := range getList(v, "subject") {
		if "sha256:"+getString(v, "subject", i, "digest", "sha256") == want.subject {
			return nil
		}
	}
	return no("another subject")
}

// stamp verifies a token (RFC 3161) over a signature with another library.
func (s *checker) stamp(token, signature []byte) (time.Time, error) {
	t, err := rfc3161.ParseResponse(token)
	if err != nil {
		if t, err = rfc3161.Parse(token); err != nil {
			return time.Time{}, no("%v", err)
		}
	}
	h := t.HashAlgorithm.New()
	h.Write(signature)
	if !bytes.Equal(h.Sum(nil), t.HashedMessage) || t.Time.After(s.now.Add(5*time.Minute)) {
		return time.Time{}, no("a timestamp of something else")
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: t.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}}
	opts.Roots.AddCert(s.stampers[2])
	opts.Intermediates.AddCert(s.stampers[1])
	if _, err := s.stampers[0].Verify(opts); err != nil || !slices.ContainsFunc(t.Certificates, s.stampers[0].Equal) {
		return time.Time{}, no("another authority: %v", err)
	}
	return t.Time, nil
}

// entry verifies an entry of a log: that it is of the signature, and in the tree.
func (s *checker) entry(e any, payload, message, signature []byte, signer crypto.PublicKey) error {
	body, err := getBytes(e, "canonicalizedBody")
	if err != nil {
		return err
	}
	kind := getString(e, "kindVersion", "kind") + " " + getString(e, "kindVersion", "version")
	switch kind {
	case "hashedrekord 0.0.2":
		digest := sha256.Sum256(message)
		if !bytes.Equal(body, rekorBody(digest[:], signature, der(signer))) {
			return no("an entry of something else")
		}
	case "dsse 0.0.1":
		v, err := readJSON(body)
		if err != nil {
			return err
		}
		block := getString(v, "spec", "signatures", 0, "verifier")
		pem, err := base64.StdEncoding.DecodeString(block)
		if err != nil || len(getList(v, "spec", "signatures")) != 1 || getString(v, "kind")+" "+getString(v, "apiVersion") != kind ||
			getString(v, "spec", "payloadHash", "value") != hexOf(payload) || getString(v, "spec", "signatures", 0, "signature") != b64(signature) ||
			!strings.Contains(strings.ReplaceAll(string(pem), "\n", ""), b64(der(signer))) {
			return no("an entry of something else: %v", err)
		}
	default:
		return no("an entry of kind %s", kind)
	}
	return s.included(e, body)
}

func (s *checker) included(e any, body []byte) error {
	p := get(e, "inclusionProof")
	index, err1 := getInt(p, "logIndex")
	size, err2 := getInt(p, "treeSize")
	root, err3 := getBytes(p, "rootHash")
	id, err4 := getBytes(e, "logId", "keyId")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return no("%v", err)
	}
	var hashes [][]byte
	for i := range getList(p, "hashes") {
		h, err := getBytes(p, "hashes", i)
		if err != nil || len(h) != 32 {
			return no("no hash")
		}
		hashes = append(hashes, h)
	}
	got, err := climb(body, index, size, hashes)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, root) {
		return no("another root")
	}
	return s.checkpoint(getString(p, "checkpoint", "envelope"), size, root, id)
}

// climb computes the root from a leaf (RFC 9162, section 2.1.3.2).
func climb(body []byte, index, size int64, hashes [][]byte) ([]byte, error) {
	if index < 0 || index >= size {
		return nil, no("index %d of %d", index, size)
	}
	h := sha256.Sum256(append([]byte{0}, body...))
	r := h[:]
	node := func(a, b []byte) []byte {
		h := sha256.Sum256(append(append([]byte{1}, a...), b...))
		return h[:]
	}
	fn, sn := index, size-1
	for _, p := range hashes {
		if sn == 0 {
			return nil, no("too many hashes")
		}
		if fn&1 == 1 || fn == sn {
			r = node(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = node(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return nil, no("too few hashes")
	}
	return r, nil
}

// checkpoint verifies a signed note (C2SP signed-note, tlog-checkpoint, tlog-cosignature).
func (s *checker) checkpoint(text string, size int64, root, id []byte) error {
	body, sigs, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(body, "\n")
	body += "\n"
	if !ok || len(lines) < 3 || lines[1] != strconv.FormatInt(size, 10) || lines[2] != b64(root) {
		return no("a checkpoint of something else")
	}
	byLog, witnesses := false, 0
	signed := func(n note) bool {
		for _, line := range strings.Split(strings.TrimSuffix(sigs, "\n"), "\n") {
			f := strings.Split(line, " ")
			if len(f) != 3 || f[0] != "—" || f[1] != n.name {
				continue
			}
			sig, err := base64.StdEncoding.DecodeString(f[2])
			if err != nil || len(sig) < 12 || !bytes.Equal(sig[:4], n.id()[:4]) {
				continue
			}
			m := []byte(body)
			if sig = sig[4:]; n.kind == 4 {
				m = []byte("cosignature/v1\ntime " + strconv.FormatUint(binary.BigEndian.Uint64(sig), 10) + "\n" + body)
				sig = sig[8:]
			}
			if n.ec != nil && verifies(&n.ec.PublicKey, m, sig) || n.ed != nil && verifies(n.ed.Public(), m, sig) {
				return true
			}
		}
		return false
	}
	for _, n := range s.logs {
		byLog = byLog || n.name == lines[0] && bytes.Equal(n.id(), id) && signed(n)
	}
	for _, n := range s.witnesses {
		if signed(n) {
			witnesses++
		}
	}
	if !byLog || witnesses < s.threshold {
		return no("a checkpoint of somebody else")
	}
	return nil
}

// evidence verifies lines, and that they belong together.
func (s *checker) evidence(text []byte, want slowWant) error {
	list, payloads := []any(nil), map[string]int{}
	verdicts := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		f, err := s.check([]byte(line), want)
		if err != nil {
			return err
		}
		v, _ := readJSON(f.payload)
		switch f.predicate {
		case "https://stella-ops.dev/attestation/evidence/v1":
			if list != nil {
				return no("two lists")
			}
			list = getList(v, "predicate", "items")
			continue
		case "https://stella-ops.dev/attestation/verdict/v1":
			i := bytes.Index(f.payload, []byte(`"predicate":`)) + len(`"predicate":`)
			var raw json.RawMessage
			if err := json.NewDecoder(bytes.NewReader(f.payload[i:])).Decode(&raw); err != nil {
				return no("%v", err)
			}
			verdicts["sha256:"+hexOf(raw)] = true
		}
		payloads["sha256:"+hexOf(f.payload)]++
	}
	if list == nil {
		return no("no list")
	}
	for _, i := range list {
		d := getString(i, "digest")
		if getString(i, "role") == "statement" && get(i, "included") == true {
			if payloads[d] != 1 {
				return no("%s is there %d times", d, payloads[d])
			}
			delete(payloads, d)
		}
		if getString(i, "role") == "verdict" && !verdicts[d] {
			return no("verdict %s is not there", d)
		}
		delete(verdicts, d)
	}
	if len(payloads)+len(verdicts) > 0 {
		return no("statements that are not listed")
	}
	return nil
}
