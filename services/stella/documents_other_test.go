//go:build !linux

package main

import "testing"

// alone skips: a network can be taken away from a process on Linux alone.
func alone(t *testing.T) bool {
	t.Helper()
	t.Skip("needs a network namespace, which Linux has")
	return false
}
