package valkeycache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/store/cache"
	"github.com/stella-ops/stella/store/cache/valkeycache"
)

// The suite runs against a real server in internal/e2e.

func Example() {
	ctx := context.Background()
	_, err := cache.Open(ctx, "valkey://stella:secret@127.0.0.1:9/0?prefix=stella:&timeout=1s")
	fmt.Println(err)
	// Output:
	// open cache valkey://stella:xxxxx@127.0.0.1:9/0?prefix=stella:&timeout=1s: query key "timeout" of the URL: there are prefix, connections: invalid input
}

func TestURLs(t *testing.T) {
	for bad, want := range map[string]string{
		"valkey://":                                               "no host: want valkey://",
		"valkeys://u:hunter2@":                                    "no host: want valkeys://",
		"redis://u:hunter2@h/x":                                   `path "/x"`,
		"rediss://u:hunter2@h/-1":                                 `path "/-1"`,
		"valkey://u:hunter2@h?connections=x":                      `connections="x"`,
		"valkey://u:hunter2@h?connections=-1":                     "connections=-1: want 1 to 10000",
		"valkey://u:hunter2@h?x=1":                                "there are prefix, connections",
		"valkey://u:hunter2@h/0#x":                                "no host",
		"valkey://u:hunter2@h?prefix=" + strings.Repeat("x", 101): "prefix of 101 bytes",
	} {
		_, err := cache.Open(t.Context(), bad)
		if !errors.Is(err, valkeycache.ErrInvalid) || !strings.Contains(fmt.Sprint(err), want) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v, want %q in it", bad, err, want)
		}
	}
	_, err := valkeycache.Open(t.Context(), "valkey://u:hunter2@127.0.0.1:1", nil)
	if !errors.Is(err, valkeycache.ErrUnavailable) || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("a server that is away: %v", err)
	}
}
