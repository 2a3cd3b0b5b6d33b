package mirror_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

func Example() {
	dir, err := os.MkdirTemp("", "stella")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, now := context.Background(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

	// A publisher has a key; its root says what it may sign.
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := dsse.NewPrivateKey(private)
	if err != nil {
		fmt.Println(err)
		return
	}
	root := &role.Root{Feed: "advisories.example", Version: 1, Expires: now.AddDate(1, 0, 0), Roles: map[role.Role]role.Holders{}}
	publisher := &mirror.Publisher{Dir: filepath.Join(dir, "www"), Signers: map[role.Role][]dsse.Signer{}, Everything: true}
	for _, r := range []role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp} {
		root.Roles[r] = role.Keys(1, key.Public())
		publisher.Signers[r] = []dsse.Signer{key}
	}
	rootFile, err := root.Sign(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := publisher.Begin(rootFile); err != nil {
		fmt.Println(err)
		return
	}

	// It publishes what it knows.
	known := snapshot.Store{Dir: filepath.Join(dir, "known")}
	_, err = known.Import(func(yield func(*advisory.Record, error) bool) {
		yield(&advisory.Record{ID: "GHSA-1", Modified: "2024-05-20T16:03:47Z", Digest: fmt.Sprintf("sha256:%064x", 1)}, nil)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	snap, err := known.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer snap.Close()
	if _, err := publisher.Publish(ctx, now, snap, 1); err != nil {
		fmt.Println(err)
		return
	}

	// Whoever has the root file follows, by the network or, as here, by a folder.
	client := &mirror.Client{Source: role.FS(os.DirFS(publisher.Dir)), Store: snapshot.Store{Dir: filepath.Join(dir, "db")}, Root: rootFile}
	updated, err := client.Update(ctx, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(updated.How, updated.Digest == snap.Digest())
	_, err = client.Update(ctx, now.AddDate(0, 0, 2))
	fmt.Println(role.ReasonOf(err))
	// Output:
	// objects true
	// expired
}
