package kit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

// A publisher writes a kit and then a delta, and a closed site loads both. What was
// changed on the way is refused by name.
func Example() {
	ctx := context.Background()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	newKey := func(n byte) *dsse.PrivateKey { // take ed25519.GenerateKey for real keys
		k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
		if err != nil {
			panic(err)
		}
		return k
	}
	owner, release, online := newKey(1), newKey(2), newKey(3)
	root := &role.Root{Feed: "kits.example", Version: 1, Expires: now.AddDate(1, 0, 0), Roles: map[role.Role]role.Holders{
		role.RoleRoot: role.Keys(1, owner.Public()), role.RoleTargets: role.Keys(1, release.Public()),
		role.RoleSnapshot: role.Keys(1, online.Public()), role.RoleTimestamp: role.Keys(1, online.Public()),
	}}
	rootFile, err := root.Sign(ctx, owner)
	if err != nil {
		fmt.Println(err)
		return
	}
	publisher, err := role.Trust(rootFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	item := func(kind, name, content string) kit.Item {
		return kit.Item{Kind: kind, Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
	}
	var files [][]byte
	for n := 1; n <= 2; n++ {
		edition, err := kit.Publish(ctx, &kit.Draft{
			Previous: publisher, At: now,
			Items: []kit.Item{
				item(kit.KindAdvisory, "manifest.json", fmt.Sprintf(`{"head":%d}`, n)),
				item(kit.KindPolicy, "default", "the policy"),
				item(kit.KindEngine, "linux/amd64", "the engine"),
			},
			Expires: map[role.Role]time.Time{role.RoleTargets: now.AddDate(0, 3, 0), role.RoleSnapshot: now.AddDate(0, 2, 0), role.RoleTimestamp: now.AddDate(0, 1, 0)},
			Signers: map[role.Role][]dsse.Signer{role.RoleTargets: {release}, role.RoleSnapshot: {online}, role.RoleTimestamp: {online}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		publisher = edition.State // is kept before anybody has the file
		var file bytes.Buffer
		if _, err := edition.Write(ctx, &file, int64(n-1)); err != nil { // the second is a delta to the first
			fmt.Println(err)
			return
		}
		files = append(files, file.Bytes())
	}

	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	site := kit.Store{Dir: filepath.Join(dir, "kit")}
	if err := site.Trust(rootFile); err != nil { // it came on a way that is trusted
		fmt.Println(err)
		return
	}
	var lacks *kit.BaseError
	_, err = site.Load(ctx, bytes.NewReader(files[1]), now, nil)
	fmt.Println("a delta needs its base:", errors.As(err, &lacks), lacks.Base)
	for _, file := range files {
		loaded, err := site.Load(ctx, bytes.NewReader(file), now, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("version %d: %d contents were read, %d were there\n", loaded.Version, loaded.Read, loaded.Reused)
	}

	active, err := site.Active()
	if err != nil {
		fmt.Println(err)
		return
	}
	manifest, err := active.Read(ctx, kit.KindAdvisory, "manifest.json", 1<<20)
	fmt.Printf("%s (%v)\n", manifest, err)
	engine, err := kit.CheckEngine(ctx, strings.NewReader("the engine"), active.Entries)
	fmt.Println(engine.Name, err)

	_, err = site.Load(ctx, bytes.NewReader(files[0]), now, nil)
	fmt.Println("the first again:", role.ReasonOf(err))
	files[1][len(files[1])-1536] ^= 1
	_, err = kit.Verify(ctx, bytes.NewReader(files[1]), publisher, now)
	fmt.Println("a bit was changed:", role.ReasonOf(err))
	// Output:
	// a delta needs its base: true 1
	// version 1: 3 contents were read, 0 were there
	// version 2: 1 contents were read, 0 were there
	// {"head":2} (<nil>)
	// linux/amd64 <nil>
	// the first again: rollback
	// a bit was changed: wrong content
}
