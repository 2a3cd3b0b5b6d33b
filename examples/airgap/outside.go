package airgap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/policy/policyfile"
)

// The names of contents, which are those that "stella bundle" knows.
const (
	manifestName = "manifest.json"
	objectPrefix = "objects/"
	policyName   = "release.yaml"
)

// lasts is how long a kit may be used. Whoever cannot carry one over in time should notice.
const lasts = 31 * 24 * time.Hour

// Keys sign what is carried. One person should not have all of them.
type Keys struct {
	Owner   *dsse.PrivateKey // says whose keys count
	Release *dsse.PrivateKey // says what is in a kit
	Online  *dsse.PrivateKey // says which kit is the newest
}

// Root makes the file that a site is given once, on a way that is trusted.
func Root(ctx context.Context, feed string, k Keys, at time.Time) ([]byte, error) {
	root := &role.Root{Feed: feed, Version: 1, Expires: at.AddDate(2, 0, 0), Roles: map[role.Role]role.Holders{
		role.RoleRoot:      role.Keys(1, k.Owner.Public()),
		role.RoleTargets:   role.Keys(1, k.Release.Public()),
		role.RoleSnapshot:  role.Keys(1, k.Online.Public()),
		role.RoleTimestamp: role.Keys(1, k.Online.Public()),
	}}
	return root.Sign(ctx, k.Owner)
}

// Make writes a kit with OSV records, which lie in folders, archives or files, and a policy.
// previous is what the last kit left, or role.Trust of the root for the first one; what is
// returned is to be kept before anybody has the file. A record or policy that cannot be
// read is an error: nobody at the site could mend it.
func Make(ctx context.Context, w io.Writer, previous role.State, k Keys, policy []byte, at time.Time, records ...string) (role.State, error) {
	if _, _, err := policyfile.Parse(policyName, policy); err != nil {
		return previous, err
	}
	items, err := advisories(ctx, records)
	if err != nil {
		return previous, err
	}
	edition, err := kit.Publish(ctx, &kit.Draft{
		Previous: previous, At: at,
		Items:   append(items, item(kit.KindPolicy, policyName, policy)),
		Expires: map[role.Role]time.Time{role.RoleTargets: at.Add(3 * lasts), role.RoleSnapshot: at.Add(2 * lasts), role.RoleTimestamp: at.Add(lasts)},
		Signers: map[role.Role][]dsse.Signer{role.RoleTargets: {k.Release}, role.RoleSnapshot: {k.Online}, role.RoleTimestamp: {k.Online}},
	})
	if err != nil {
		return previous, err
	}
	if _, err := edition.Write(ctx, w, 0); err != nil {
		return previous, err
	}
	return edition.State, nil
}

// advisories compiles records and takes the result apart: kits share the parts that did not
// change, so the next one may be written as a delta.
func advisories(ctx context.Context, records []string) ([]kit.Item, error) {
	var file bytes.Buffer
	result, err := snapshot.Build(&file, osv.Walk(ctx, nil, records...))
	if err != nil {
		return nil, err
	}
	if len(result.Broken) > 0 {
		b := result.Broken[0]
		return nil, fmt.Errorf("%d records cannot be read, the first in %s: %s", len(result.Broken), b.File, b.Reason)
	}
	data, err := snapshot.Read(file.Bytes())
	if err != nil {
		return nil, err
	}
	defer data.Close()
	manifest, _, err := data.Manifest().Encode()
	if err != nil {
		return nil, err
	}
	items := []kit.Item{item(kit.KindAdvisory, manifestName, manifest)}
	for _, s := range data.Manifest().Segments {
		content, err := data.Object(s.Digest)
		if err != nil {
			return nil, err
		}
		items = append(items, item(kit.KindAdvisory, objectPrefix+strings.TrimPrefix(s.Digest, "sha256:"), bytes.Clone(content)))
	}
	return items, nil
}

func item(kind, name string, content []byte) kit.Item {
	return kit.Item{Kind: kind, Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}
