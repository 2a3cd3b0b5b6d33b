package vextest_test

import (
	"testing"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/vextest"
)

func TestSetIsView(t *testing.T) {
	vextest.TestView(t, func(_ testing.TB, list []*vex.Statement) vex.View { return vex.NewSet(list) })
}

// A kind of view is held against the set that it should be.
func ExampleTestView() {
	var t *testing.T // of TestMyView
	if t == nil {
		return
	}
	vextest.TestView(t, func(_ testing.TB, list []*vex.Statement) vex.View { return vex.NewSet(list) })
}
