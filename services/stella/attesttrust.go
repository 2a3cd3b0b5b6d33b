package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/tlog"
)

const trustHelp = `Write a trust root: the file that says to "stella verify" whose keys, logs, witnesses
and authorities count, and when. Whoever is handed it must know that it is yours:
nothing in it proves that. FILE "-" is standard output.

  --key k.pub                                  may sign everything, at any time
  --key k.pub@2026-01-01..2027-01-01           from the first day on, and before the last
  --key k.pub@2026-01-01..:spdxjson,verdict    only statements of these types
  --log-key log2026.example=log.pub            a log by its name and PEM key, or NAME+ID+KEY
  --tsa-chain https://tsa.example=chain.pem    a timestamp authority

--base FILE goes on from another trust root. --revoke KEYID=REASON says that a key's
signatures count no more, unless a timestamp shows that they were made before now.`

// trustRootFlags say whom a trust root names.
type trustRootFlags struct {
	base      string
	keys      []string
	revoked   []string
	logs      []string
	witnesses []string
	threshold int
	chains    []string
	sigstore  string
}

func (p *program) trustCommand() *cobra.Command {
	var f trustRootFlags
	cmd := &cobra.Command{
		Use:     "trust FILE",
		Short:   "Write a trust root: whom to believe",
		Long:    trustHelp,
		Example: "  stella attest trust trust.json --key release.pub@2026-01-01.. --log-key log2026.example=log.pub",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			root, err := p.makeRoot(&f)
			if err != nil {
				return err
			}
			if len(root.Keys.Members)+len(root.Logs.Logs)+len(root.Authorities)+len(root.Sigstore) == 0 {
				return usageError("it would name nobody: give --key, --log-key, --tsa-chain or --sigstore")
			}
			text, err := root.Encode()
			if err != nil {
				return err
			}
			text = append(text, '\n')
			if args[0] == "-" {
				return writeLine(p.stdout, text)
			}
			if err := replaceFile(args[0], text); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s: %d keys, %d logs, %d witnesses, %d timestamp authorities\n", clean(args[0]), len(root.Keys.Members), len(root.Logs.Logs), len(root.Logs.Witnesses), len(root.Authorities))
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.base, "base", "", "a trust root to go on from")
	fs.StringArrayVar(&f.keys, "key", nil, "FILE[@FROM..TO[:TYPES]], a public key; may be repeated")
	fs.StringArrayVar(&f.revoked, "revoke", nil, "KEYID=REASON: the key counts no more; may be repeated")
	fs.StringArrayVar(&f.logs, "log-key", nil, "ORIGIN=FILE, or a verifier key NAME+ID+KEY; may be repeated")
	fs.StringArrayVar(&f.witnesses, "witness", nil, "the verifier key of a witness, NAME+ID+KEY, or a file with one; may be repeated")
	fs.IntVar(&f.threshold, "witness-threshold", 0, "how many witnesses must have co-signed")
	fs.StringArrayVar(&f.chains, "tsa-chain", nil, "[NAME=]FILE, the certificates of a timestamp authority (PEM, the one that signs first); may be repeated")
	fs.StringVar(&f.sigstore, "sigstore", "", "a trusted_root.json of Sigstore, for signatures with certificates")
	return cmd
}

func (p *program) makeRoot(f *trustRootFlags) (*attest.Root, error) {
	root := new(attest.Root)
	if f.base != "" {
		text, err := p.readFile(f.base, attest.MaxRoot)
		if err != nil {
			return nil, err
		}
		if root, err = attest.DecodeRoot(text); err != nil {
			return nil, fmt.Errorf("%s: %w", f.base, err)
		}
	}
	for _, spec := range f.keys {
		m, err := p.ringMember(spec)
		if err != nil {
			return nil, err
		}
		root.Keys.Members = append(root.Keys.Members, *m)
	}
	for _, spec := range f.revoked {
		id, reason, ok := strings.Cut(spec, "=")
		if !ok {
			return nil, usageError("--revoke %q: want KEYID=REASON", spec)
		}
		var err error
		if root.Keys, err = root.Keys.Revoke(id, key.Revocation{At: time.Now().UTC().Truncate(time.Second), Reason: reason}); err != nil {
			return nil, err
		}
	}
	if err := p.rootLogs(f, root); err != nil {
		return nil, err
	}
	for _, spec := range f.chains {
		name, file, ok := strings.Cut(spec, "=")
		if !ok {
			name, file = "", spec
		}
		a, err := p.readAuthority(file, name)
		if err != nil {
			return nil, err
		}
		root.Authorities = append(root.Authorities, a)
	}
	if f.sigstore == "" {
		return root, nil
	}
	text, err := os.ReadFile(f.sigstore)
	if err != nil {
		return nil, err
	}
	if _, err := sigstore.ParseTrustRoot(text); err != nil {
		return nil, fmt.Errorf("%s: %w", f.sigstore, err)
	}
	root.Sigstore = text
	return root, nil
}

// rootLogs adds logs and witnesses.
func (p *program) rootLogs(f *trustRootFlags, root *attest.Root) error {
	for _, spec := range f.logs {
		origin, ref, ok := strings.Cut(spec, "=")
		if k, err := tlog.ParseKey(spec); err == nil { // its base64 may end in "="
			root.Logs.Logs = append(root.Logs.Logs, tlog.LogKey{Key: k})
			continue
		}
		if !ok {
			origin, ref = "", spec
		}
		k, err := p.readLogKey(ref, origin)
		if err != nil {
			return err
		}
		root.Logs.Logs = append(root.Logs.Logs, tlog.LogKey{Key: k})
	}
	for _, ref := range f.witnesses {
		k, err := p.readLogKey(ref, "")
		if err != nil {
			return err
		}
		root.Logs.Witnesses = append(root.Logs.Witnesses, k)
	}
	if f.threshold > 0 {
		root.Logs.Threshold = f.threshold
	}
	return nil
}

// ringMember reads FILE[@FROM..TO[:TYPES]].
func (p *program) ringMember(spec string) (*key.Member, error) {
	file, limits := spec, ""
	if i := strings.LastIndex(spec, "@"); i >= 0 && strings.Contains(spec[i:], "..") {
		file, limits = spec[:i], spec[i+1:]
	}
	k, err := p.readPublicKey(file)
	if err != nil {
		return nil, err
	}
	m := &key.Member{Key: k, From: always, Purposes: []string{key.AnyPurpose}}
	if limits == "" {
		return m, nil
	}
	from, rest, _ := strings.Cut(limits, "..")
	if from != "" {
		if m.From, err = readTime(from); err != nil {
			return nil, usageError("--key %s: %v", spec, err)
		}
	}
	to, purposes, limited := cutTime(rest)
	if to != "" {
		if m.To, err = readTime(to); err != nil {
			return nil, usageError("--key %s: %v", spec, err)
		}
	}
	if !limited {
		return m, nil
	}
	m.Purposes = nil
	for word := range strings.SplitSeq(purposes, ",") {
		t := word
		if word != key.AnyPurpose && word != attest.PurposeArtifact {
			if t, err = intoto.PredicateType(word); err != nil {
				return nil, &codeError{exitUsage, fmt.Errorf("--key %s: %w", spec, err)}
			}
		}
		m.Purposes = append(m.Purposes, t)
	}
	slices.Sort(m.Purposes)
	return m, nil
}

// cutTime parts a time, which may have colons, from what follows a colon.
func cutTime(s string) (at, rest string, found bool) {
	for i, c := range s {
		if c != ':' {
			continue
		}
		if _, err := readTime(s[:i]); err == nil || i == 0 {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// readTime reads a day or a time, in whole seconds.
func readTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Nanosecond() != 0 {
		return time.Time{}, fmt.Errorf("%q is no time: want 2026-12-24 or 2026-12-24T12:00:00Z", s)
	}
	return t.UTC(), nil
}
