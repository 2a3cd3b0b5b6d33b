package programs_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/programs"
)

func Example() {
	text := "#!/bin/sh\nset -e\nexec nginx \"$@\"\n"
	f := analyzer.NewMemoryFile("docker-entrypoint.sh", []byte(text))
	facts, err := programs.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := facts[0].Program
	fmt.Println(p.Kind, p.Interpreter, p.Size)
	fmt.Printf("%q\n", p.Commands)
	// Output:
	// script /bin/sh 33
	// [["set" "-e"] ["exec" "nginx" "$@"]]
}
