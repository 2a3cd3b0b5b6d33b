package feed_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// An offline bundle is a folder; a source reads it as it reads the network.
func ExampleDir() {
	dir, err := os.MkdirTemp("", "bundle")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	address := "https://feeds.example.org/v1/all.json?page=1"
	name, err := feed.Path(address)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(name)
	file := filepath.Join(dir, filepath.FromSlash(name))
	os.MkdirAll(filepath.Dir(file), 0o755)
	os.WriteFile(file, []byte(`{"id": "X-1"}`), 0o644)

	source := feed.Files{Source: "mine", List: []feed.File{{URL: address, Name: "all.json"}}}
	out, err := source.Fetch(context.Background(), feed.Dir(dir), nil, func(doc *advisory.Document) error {
		fmt.Println(doc.Name, string(doc.Content))
		return nil
	})
	fmt.Println(out.Complete, err)
	// Output:
	// feeds.example.org/v1/all.json%3Fpage=1
	// all.json {"id": "X-1"}
	// true <nil>
}

func ExampleNewClient() {
	door, err := feed.NewClient(&feed.Options{
		Network:     feed.Network{Policy: feed.PolicyAirGap},
		Mirrors:     []feed.Mirror{{Base: "https://mirror.internal/feeds"}},
		MirrorsOnly: true,
	})
	fmt.Println(door != nil, err)
	// Output: true <nil>
}
