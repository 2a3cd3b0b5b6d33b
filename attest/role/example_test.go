package role_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// A publisher makes a feed, a client reads it, and what a mirror does to it is
// refused by name.
func Example() {
	ctx := context.Background()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	newKey := func(n byte) *dsse.PrivateKey { // take ed25519.GenerateKey for real keys
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = n
		k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed))
		if err != nil {
			panic(err)
		}
		return k
	}
	rootA, rootB, release, online := newKey(1), newKey(2), newKey(3), newKey(4)

	// The root is signed once, by people who seldom meet.
	root := &role.Root{
		Feed: "advisories.example", Version: 1, Expires: now.AddDate(1, 0, 0),
		Roles: map[role.Role]role.Holders{
			role.RoleRoot:      role.Keys(2, rootA.Public(), rootB.Public()),
			role.RoleTargets:   role.Keys(1, release.Public()),
			role.RoleSnapshot:  role.Keys(1, online.Public()),
			role.RoleTimestamp: role.Keys(1, online.Public()),
		},
	}
	rootFile, err := root.Sign(ctx, rootA, rootB)
	if err != nil {
		fmt.Println(err)
		return
	}
	publisher, err := role.Trust(rootFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := publisher // it came with the program

	// Two releases are published into a folder.
	folder := fstest.MapFS{role.File(role.RoleRoot, 1): {Data: rootFile}}
	var firstTimestamp []byte
	for n := 1; n <= 2; n++ {
		head := fmt.Sprintf(`{"head":%d}`, n)
		target, err := role.Describe("head.json", strings.NewReader(head), fmt.Appendf(nil, `{"number":%d}`, n))
		if err != nil {
			fmt.Println(err)
			return
		}
		var files []role.NamedFile
		publisher, files, err = publisher.Publish(ctx, &role.Draft{
			At:      now,
			Targets: []role.Target{target},
			Expires: map[role.Role]time.Time{role.RoleTargets: now.AddDate(0, 3, 0), role.RoleSnapshot: now.AddDate(0, 0, 7), role.RoleTimestamp: now.AddDate(0, 0, 1)},
			Signers: map[role.Role][]dsse.Signer{role.RoleTargets: {release}, role.RoleSnapshot: {online}, role.RoleTimestamp: {online}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		folder[target.File()] = &fstest.MapFile{Data: []byte(head)}
		for _, f := range files {
			folder[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		if n == 1 {
			firstTimestamp = folder["timestamp.json"].Data
		}
	}

	// The client keeps the state that it gets back, whatever the error.
	client, feed, err := client.Update(ctx, now, role.FS(folder))
	if err != nil {
		fmt.Println(err)
		return
	}
	target, err := feed.Target("head.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := target.Read(ctx, role.FS(folder), 1<<20)
	fmt.Printf("version %d: %s says %s, %s (%v)\n", feed.Version, target.Name, target.Custom, content, err)

	// A mirror changes the content, stands still, or goes back.
	folder[target.File()] = &fstest.MapFile{Data: []byte(`{"head":3}`)}
	_, err = target.Read(ctx, role.FS(folder), 1<<20)
	fmt.Println(role.ReasonOf(err))
	_, _, err = client.Update(ctx, now.AddDate(0, 0, 2), role.FS(folder))
	fmt.Println(role.ReasonOf(err))
	folder["timestamp.json"] = &fstest.MapFile{Data: firstTimestamp}
	_, _, err = client.Update(ctx, now, role.FS(folder))
	fmt.Println(err)
	// Output:
	// version 2: head.json says {"number":2}, {"head":2} (<nil>)
	// wrong content
	// expired
	// timestamp.json: rollback: version 1, version 2 was seen
}
