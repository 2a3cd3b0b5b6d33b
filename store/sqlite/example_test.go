package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/store/sqlite"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "sqlite")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, err := sqlite.Open(context.Background(), filepath.Join(dir, "stella.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	fmt.Println(root.Name())
	// Output: sqlite
}
