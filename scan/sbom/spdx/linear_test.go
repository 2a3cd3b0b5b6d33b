//go:build unix

package spdx

import (
	"bytes"
	"io"
	"syscall"
	"testing"
	"time"
)

// Eight times the document must not take much more than eight times the work, to
// read or to write; where work grows with the square it takes 64 times.
func TestDecodeIsLinear(t *testing.T) {
	work := func(n int) time.Duration {
		text := large(n)
		start := processorTime(t)
		d, err := Decode(bytes.NewReader(text), nil)
		if err != nil || len(d.Packages) != n || len(d.Relationships) != n {
			t.Fatalf("%v", err)
		}
		for _, opt := range append(forms, EncodeOptions{Version: Version301}) {
			if _, err := Encode(io.Discard, d, &opt); err != nil {
				t.Fatal(err)
			}
		}
		return processorTime(t) - start
	}
	n := 1000
	if testing.Short() {
		n = 300
	}
	var times float64
	for range 3 { // the collector of garbage has its moods
		if times = float64(work(8*n)) / float64(work(n)); times < 24 {
			return
		}
	}
	t.Errorf("8 times the packages take %.1f times the time", times)
}

// processorTime is what this process has used so far: unlike the time on the
// wall it does not grow with what else the machine does.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
