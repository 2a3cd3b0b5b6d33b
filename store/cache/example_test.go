package cache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/store/cache"
)

func Example() {
	ctx := context.Background()
	seen, err := cache.Open(ctx, "mem:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer seen.Close()
	epoch, err := seen.Epoch(ctx) // written into what is handed out
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // the same proof comes twice
		added, err := seen.Add(ctx, "proof-1", nil, 5*time.Minute)
		if err != nil {
			fmt.Println("refused:", err) // what is not known is refused
			return
		}
		now, err := seen.Epoch(ctx) // asked after Add
		fmt.Println("accepted:", added && err == nil && now == epoch)
	}
	// Output:
	// accepted: true
	// accepted: false
}
