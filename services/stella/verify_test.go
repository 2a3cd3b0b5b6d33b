package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/imagetest"
)

// damaged makes files of what is good, each with one thing wrong.
func (s *site) damaged() {
	s.t.Helper()
	full := s.read("full.jsonl")
	lines := strings.SplitAfter(full, "\n")
	lines = lines[:len(lines)-1]
	last := len(lines) - 1
	s.write("missing.jsonl", strings.Join(slices.Delete(slices.Clone(lines), 0, 1), ""))
	s.write("twice.jsonl", lines[0]+full)
	s.write("unlisted.jsonl", strings.Join(lines[:last], ""))
	s.write("truncated.jsonl", full[:len(full)-20])
	s.write("garbage.jsonl", "not a bundle\n")
	s.write("empty.jsonl", "")
	s.write("repeated.jsonl", strings.Replace(full, `{"dsseEnvelope"`, `{"mediaType":"x","dsseEnvelope"`, 1))
	change := func(name string, change func(b *bundle.Bundle, all []bundle.Item)) {
		items := s.items("full.jsonl")
		change(items[0].Bundle, items)
		s.put(name, items...)
	}
	change("payload.jsonl", func(b *bundle.Bundle, _ []bundle.Item) { b.Envelope.Payload[40] ^= 1 })
	change("signature.jsonl", func(b *bundle.Bundle, _ []bundle.Item) { b.Envelope.Signatures[0].Sig[20] ^= 1 })
	change("entry.jsonl", func(b *bundle.Bundle, all []bundle.Item) { b.Material.Entries = all[1].Bundle.Material.Entries })
	change("proof.jsonl", func(b *bundle.Bundle, _ []bundle.Item) { b.Material.Entries[0].Proof.RootHash[0] ^= 1 })
	change("index.jsonl", func(b *bundle.Bundle, all []bundle.Item) {
		b.Material.Entries[0].Proof.LogIndex, b.Material.Entries[0].LogIndex = 7, 7
	})
	change("checkpoint.jsonl", func(b *bundle.Bundle, _ []bundle.Item) {
		p := b.Material.Entries[0].Proof
		p.Checkpoint = strings.Replace(p.Checkpoint, "\n\n", "\nextension\n\n", 1)
	})
	change("stamp.jsonl", func(b *bundle.Bundle, all []bundle.Item) { b.Material.Timestamps = all[1].Bundle.Material.Timestamps })
	change("stampless.jsonl", func(b *bundle.Bundle, _ []bundle.Item) { b.Material.Timestamps = nil })
	s.signed("text.jsonl", "text/plain", []byte("hello"))
	s.signed("nothing.jsonl", intoto.PayloadType, []byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
	s.write("broken.json", strings.Replace(s.read("trust.json"), `"keys"`, `"kyes"`, 1))
	s.write("broken.pub", strings.Replace(s.read("a.pub"), "BEGIN PUBLIC", "BEGIN SECRET", 1))
	s.write("requirements.yaml", "requirements:\n  - {name: both, types: [spdxjson], threshold: 2}\n")
	s.write("production.yaml", "requirements:\n  - name: release\n    verdict: {outcomes: [pass, warn], environment: production}\n")
	s.write("signers.yaml", "requirements:\n  - {name: by b, types: [spdxjson], signers: ["+s.keyID("b")+"]}\n")
	s.write("app.bin", "an artifact")
	s.write("other.bin", "another one")
	s.message("app.json", []byte("an artifact"))
}

func (s *site) key(name string) *key.Key {
	s.t.Helper()
	k, err := key.Open(s.t.Context(), s.path(name+".key"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func (s *site) keyID(name string) string { return s.key(name).KeyID() }

// signed writes an envelope of any payload, signed by key a.
func (s *site) signed(name, payloadType string, payload []byte) {
	s.t.Helper()
	e, err := dsse.Sign(s.t.Context(), payloadType, payload, s.key("a"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.put(name, bundle.Item{Envelope: e})
}

// message writes a bundle of a signature over an artifact, as "cosign sign-blob" does.
func (s *site) message(name string, artifact []byte) {
	s.t.Helper()
	sig, err := s.key("a").Sign(s.t.Context(), artifact)
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(artifact)
	b := &bundle.Bundle{Message: &bundle.MessageSignature{Algorithm: crypto.SHA256, Digest: sum[:], Signature: sig}, Material: bundle.VerificationMaterial{KeyHint: s.keyID("a")}}
	text, err := b.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, string(text))
}

// TestVerifyRefuses: whatever is wrong ends in exit code 4, and its name comes first, for
// people and for programs.
func TestVerifyRefuses(t *testing.T) {
	s := proven(t)
	s.damaged()
	s.keyless("ci@example.com", "keyless")
	s.write("elsewhere.log", "")
	for _, line := range []string{
		"early.json --key %a.pub@2099-01-01.. --log-key log.example=%log.pub --tsa-chain %tsa.pem", "late.json --key %a.pub@2020-01-01..2021-01-01",
		"purpose.json --key %a.pub@2020-01-01..:vsa", "keyonly.json --key %a.pub", "revoked.json --base %keyonly.json --revoke " + s.keyID("a") + "=stolen",
		"otherlog.json --base %keyonly.json --log-key log.example=%b.pub", "unknownlog.json --base %keyonly.json --log-key else.example=%log.pub",
		"sigstore.json --sigstore %keyless.root.json",
	} {
		s.must("attest trust %" + line)
	}
	imagetest.Layout(s.path("img"), imagetest.Gzip, imagetest.Tar(imagetest.File{Name: "a", Data: "a"}))
	imagetest.Layout(s.path("img2"), imagetest.Gzip, imagetest.Tar(imagetest.File{Name: "b", Data: "b"}))
	s.must("attest oci:%img2 -q --key %a.key --attach --type spdxjson")
	s.must("attest dir:%root -q --key %a.key --policy %policy.yaml --environment staging --save %other -o bundle=%staging.jsonl")
	day := time.Now().AddDate(0, 0, 10).UTC().Format(time.RFC3339)
	before := time.Now().AddDate(0, 0, -10).UTC().Format(time.RFC3339)
	cases := []struct{ code, line string }{
		{"not signed by whom it must be", "%full.jsonl --key %b.pub"},
		{"not signed by whom it must be", "%payload.jsonl --trust-root %trust.json"},
		{"timestamp/other message", "%signature.jsonl --trust-root %trust.json"},
		{"not signed by whom it must be", "%full.jsonl --trust-root %trust.json --key %b.pub"},
		{"not signed by whom it must be", "%full.jsonl --trust-root %trust.json --policy %signers.yaml"},
		{"malformed", "%truncated.jsonl --key %a.pub"},
		{"malformed", "%garbage.jsonl --key %a.pub"},
		{"malformed", "%empty.jsonl --key %a.pub"},
		{"malformed", "%repeated.jsonl --key %a.pub"},
		{"malformed", "%full.jsonl --key %a.pub --digest sha256:" + strings.Repeat("0", 64)},
		{"subject", "%full.jsonl --key %a.pub --subject sha256:" + strings.Repeat("0", 64)},
		{"key/key not yet valid", "%plain.jsonl --trust-root %early.json"},
		{"key/key not yet valid", "%full.jsonl --trust-root %early.json"},
		{"key/key no longer valid", "%plain.jsonl --trust-root %late.json"},
		{"key/key revoked", "%plain.jsonl --trust-root %revoked.json"},
		{"key/key for other purposes", "%plain.jsonl --trust-root %purpose.json"},
		{"no transparency", "%plain.jsonl --trust-root %trust.json --logged"},
		{"no transparency", "%full.jsonl --key %a.pub --logged"},
		{"timestamp/unknown authority", "%full.jsonl --trust-root %keyonly.json"},
		{"log/unknown log", "%stampless.jsonl --trust-root %unknownlog.json"},
		{"log/not signed by the log", "%stampless.jsonl --trust-root %otherlog.json"},
		{"log entry/entry of another signature", "%entry.jsonl --trust-root %trust.json"},
		{"log", "%proof.jsonl --trust-root %trust.json"},
		{"log/wrong index", "%index.jsonl --trust-root %trust.json"},
		{"log/bad signature", "%checkpoint.jsonl --trust-root %trust.json"},
		{"timestamp/other message", "%stamp.jsonl --trust-root %trust.json"},
		{"no timestamp", "%plain.jsonl --trust-root %trust.json --stamped"},
		{"no timestamp", "%plain.jsonl --trust-root %trust.json --max-age 24h"},
		{"age", "%full.jsonl --trust-root %trust.json --max-age 24h --at " + day},
		{"age", "%full.jsonl --trust-root %trust.json --at " + before},
		{"evidence", "%missing.jsonl --key %a.pub"},
		{"evidence", "%twice.jsonl --key %a.pub"},
		{"predicate type", "%unlisted.jsonl --key %a.pub --type evidence"},
		{"predicate type", "%full.jsonl --key %a.pub --type slsaprovenance1"},
		{"below threshold", "%one.jsonl --key %a.pub --key %b.pub --threshold 2"},
		{"below threshold", "%full.jsonl --key %a.pub --type spdxjson --threshold 2"},
		{"below threshold", "%full.jsonl --trust-root %trust.json --policy %requirements.yaml"},
		{"outcome", "%full.jsonl --trust-root %trust.json --policy %production.yaml"},
		{"outcome", "%full.jsonl --key %a.pub --outcome pass,block"},
		{"payload type", "%text.jsonl --key %a.pub"},
		{"statement", "%nothing.jsonl --key %a.pub"},
		{"artifact", "%other.bin --bundle %app.json --key %a.pub"},
		{"artifact", "%app.json --key %a.pub"},
		{"statement", "%app.bin --bundle %app.json --key %a.pub --type spdxjson"},
		{"artifact", "%app.bin --bundle %one.jsonl --key %a.pub"},
		{"certificate", "%keyless.jsonl --key %a.pub"},
		{"identity", "%keyless.jsonl --trust-root %keyless.root.json"},
		{"identity", "%keyless.jsonl --trust-root %keyless.root.json --identity https://issuer.stella.test|eve@example.com"},
		{"identity", "%keyless.jsonl --trust-root %sigstore.json"},
		{"trust", "%full.jsonl --trust-root %broken.json"},
		{"trust", "%full.jsonl --key %broken.pub"},
		{"replay", "%full.jsonl --key %a.pub --replay %other"},
		{"not signed by whom it must be", "oci:%img --key %a.pub"},
		{"not signed by whom it must be", "oci:%img2 --key %b.pub --offline"},
		{"predicate type", "oci:%img2 --key %a.pub --type verdict"},
		{"no transparency", "oci:%img2 --trust-root %trust.json --logged"},
	}
	for _, c := range cases {
		args := append([]string{"verify"}, strings.Fields(c.line)...)
		code, out, diag := s.run(args...)
		if code != exitVerification || !strings.HasPrefix(diag, "stella: "+c.code+": ") || out != "" {
			t.Errorf("%s: exit code %d, want 4 and %q\n%s%s", c.line, code, c.code, out, diag)
			continue
		}
		code, out, _ = s.run(append(args, "-o", "json", "--output-payload", s.path("payload"))...)
		var r verifiedReport
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitVerification || r.Verified || r.Code != c.code || len(r.Statements) > 0 {
			t.Errorf("%s as JSON: exit code %d, %+v, %v", c.line, code, r, err)
		}
		if _, err := os.Stat(s.path("payload")); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s: a payload was written", c.line)
		}
	}
	t.Logf("%d refusals", len(cases))
}

// TestVerifyTakes: the same things without what is wrong.
func TestVerifyTakes(t *testing.T) {
	s := proven(t)
	s.damaged()
	s.keyless("ci@example.com", "keyless")
	s.must("attest trust %witnessed.json --base %trust.json --sigstore %keyless.root.json")
	s.write("good.yaml", "requirements:\n  - {name: contents, types: [spdxjson], signers: ["+s.keyID("a")+"], logged: true, stamped: true, max_age: 1d}\n  - name: release\n    verdict: {outcomes: [warn], max_age: 1h, standing: true}\n")
	for line, says := range map[string]string{
		"%full.jsonl --key %a.pub": "not checked: lines 1, 2, 3, 4, 5: log entry 0: of a log that nobody here knows",
		"%full.jsonl --trust-root %trust.json --logged --stamped --max-age 1h":                                "log.example entry 4",
		"%full.jsonl --trust-root %trust.json --type verdict --outcome warn,pass":                             "verdict: warn by policy release 3",
		"%full.jsonl --trust-root %trust.json --policy %good.yaml":                                            "required and there: release",
		"%full.jsonl --trust-root %trust.json --replay %saved":                                                "decided again: identical",
		"%unlisted.jsonl --key %a.pub":                                                                        "not checked: whether lines are missing",
		"%app.bin --bundle %app.json --key %a.pub":                                                            "the file itself",
		"%keyless.jsonl --trust-root %keyless.root.json --identity https://issuer.stella.test|ci@example.com": "sigstore:https://issuer.stella.test|ci@example.com",
		"%keyless.jsonl --trust-root %witnessed.json --identity https://issuer.stella.test|ci@example.com":    "spdxjson",
	} {
		if out := s.must("verify " + line); !strings.Contains(out, says) || !strings.HasPrefix(out, "verified: ") || strings.Contains(line, "trust-root") && strings.Contains(out, "not checked") {
			t.Errorf("%s: want %q in\n%s", line, says, out)
		}
	}
	s.must("verify %one.jsonl --key %a.pub --output-payload %payload")
	if got, want := s.read("payload"), string(s.items("one.jsonl")[0].Bundle.Envelope.Payload); got != want {
		t.Errorf("the payload that is handed on is\n%s\nwant\n%s", got, want)
	}
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("injected") }

// TestVerifyPanics: a panic is no pass.
func TestVerifyPanics(t *testing.T) {
	s := proven(t)
	code, out, diag := s.runWith(panics{}, "verify", "-", "--key", "%a.pub")
	if code != exitVerification || !strings.HasPrefix(diag, "stella: panic: ") || out != "" {
		t.Errorf("exit code %d\n%s%.300s", code, out, diag)
	}
	code, out, _ = s.runWith(panics{}, "verify", "-", "--key", "%a.pub", "-o", "json")
	if code != exitVerification || !strings.Contains(out, `"code": "panic"`) || !strings.Contains(out, `"verified": false`) {
		t.Errorf("exit code %d\n%.300s", code, out)
	}
}

// TestVerifyFlips: no byte of a file of evidence can be another one unnoticed.
func TestVerifyFlips(t *testing.T) {
	s := proven(t)
	full := []byte(s.read("full.jsonl"))
	step := 211
	if os.Getenv("STELLA_LONG") != "" {
		step = 1
	}
	flips := 0
	for i := 0; i < len(full); i += step {
		text := bytes.Clone(full)
		text[i] ^= 1 << (i % 7)
		code, _, diag := s.runWith(bytes.NewReader(text), "verify", "-", "--trust-root", "%trust.json", "--type", "evidence", "--logged", "--stamped")
		if name, _, ok := strings.Cut(strings.TrimPrefix(diag, "stella: "), ":"); code != exitVerification || !ok || name == "" {
			t.Errorf("byte %d, %q for %q in %q: exit code %d %s", i, text[i], full[i], full[max(0, i-40):i+10], code, diag)
		}
		flips++
	}
	t.Logf("%d bytes of %d were flipped", flips, len(full))
}

// TestOffline: with --offline nothing is connected to, and the error says what would
// have been.
func TestOffline(t *testing.T) {
	s := proven(t)
	s.env["T"] = "e30.e30.e30"
	s.write("sec", strings.Repeat("s", 32))
	base := "attest dir:%root -q --offline --key %a.key "
	for line, names := range map[string]string{
		"verify registry.example/app:1 --key %a.pub --offline":                                  "registry.example",
		"attest registry.example/app:1 --key %a.key --offline":                                  "registry.example",
		base + "--rekor https://rekor.example --rekor-key %log.pub":                             "rekor.example",
		base + "--tsa https://tsa.example --tsa-chain %tsa.pem":                                 "tsa.example",
		"attest dir:%root --offline --key awskms://alias/x":                                     "key service awskms",
		"export dir:%root -q --offline -f spdx --to https://hooks.example/x --secret file:%sec": "hooks.example",
		"export dir:%root -q --offline -f spdx --to oci://registry.example/app":                 "registry.example",
		"export registry.example/app:1 --offline -f spdx":                                       "registry.example",
		"attest log verify https://log.example --offline --trust-root %trust.json":              "log.example",
	} {
		code, _, diag := s.run(strings.Fields(line)...)
		if code != exitError || !strings.Contains(diag, names) || !strings.Contains(diag, "refuse") {
			t.Errorf("%s: exit code %d, want 1 and %q\n%s", line, code, names, diag)
		}
	}
}

// TestVerifyUsage: what makes no sense is said before anything is verified.
func TestVerifyUsage(t *testing.T) {
	s := proven(t)
	for _, line := range []string{
		"%full.jsonl", "%full.jsonl --key %a.pub --threshold 0", "%full.jsonl --key %a.pub --at yesterday", "%full.jsonl --key %a.pub --outcome fine", "%full.jsonl --key %a.pub --type nonsense",
		"%full.jsonl --key %a.pub --identity a|b", "%full.jsonl --key %a.pub -o yaml", "%full.jsonl --key %a.pub --policy %policy.yaml", "%full.jsonl --key %a.pub --output-payload %p", "%full.jsonl --key %a.pub --policy %x --type vsa",
		"docker-archive:x.tar --key %a.pub", "dir:%root --key %a.pub", "https://x/y --key %a.pub", "Bad/Ref --key %a.pub", "oci:%root --key %a.pub --subject sha256:0",
	} {
		code, out, diag := s.run(append([]string{"verify"}, strings.Fields(line)...)...)
		if want := exitUsage; code != want && !(strings.Contains(line, "%x") && code == exitUsage) {
			t.Errorf("%s: exit code %d, want %d\n%s%s", line, code, want, out, diag)
		}
	}
	if code, _, _ := s.run("verify", "%nowhere.jsonl", "--key", "%a.pub"); code != exitError {
		t.Errorf("a file that is not there: exit code %d", code)
	}
}

// TestAttestRefuses: what a log or an authority answers is verified before anything is
// written.
func TestAttestRefuses(t *testing.T) {
	s := proven(t)
	liar := s.authority("liar", nil)
	base := "attest dir:%root -q --key %a.key -o bundle=%out.jsonl "
	for line, c := range map[string]struct {
		code int
		says string
	}{
		base + "--tsa " + liar + " --tsa-chain %tsa.pem":                                                                            {exitVerification, "stella: timestamp/unknown authority: "},
		base + "--log %translog --log-key %b.key --log-origin log.example":                                                          {exitVerification, "stella: log/"},
		base + "--log %translog --log-key %log.key --log-origin other.example":                                                      {exitVerification, "stella: log/"},
		base + "--tsa http://127.0.0.1:1/ --tsa-chain %tsa.pem":                                                                     {exitError, "127.0.0.1:1"},
		base + "--log %translog2 --log-key %log.key --log-origin log.example --tsa " + liar + " --tsa-chain %tsa.pem --patience 2s": {exitVerification, "stella: timestamp/unknown authority: "},
	} {
		code, _, diag := s.run(strings.Fields(line)...)
		if code != c.code || !strings.Contains(diag, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", line, code, c.code, c.says, diag)
		}
		if _, err := os.Stat(s.path("out.jsonl")); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s: something was written", line)
		}
	}
}
