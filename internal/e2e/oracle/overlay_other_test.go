//go:build !linux

package oracle

import (
	"errors"
	"testing"
)

var errNotDir = errors.New("not a folder")

func mountable(t *testing.T, _ string) bool {
	t.Log("overlayfs is left out, it is Linux only")
	return false
}

func overlaid(string, []unpacked) ([]string, error) { return nil, errors.ErrUnsupported }
