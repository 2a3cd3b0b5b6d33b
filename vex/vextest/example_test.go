package vextest_test

import (
	"context"
	"fmt"
	"io"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/vextest"
)

// A source's own test serves it files by host and path; [vextest.TestSource] does the
// rest.
func ExampleDoor() {
	door := vextest.Door(map[string][]byte{"vex.example.com/a.json": []byte("{}")})
	resp, err := door.Open(context.Background(), vex.Request{URL: "https://vex.example.com/a.json"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(string(text), err)
	// Output: {} <nil>
}
