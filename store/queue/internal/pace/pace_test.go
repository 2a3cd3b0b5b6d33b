package pace

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trims Trims
		count := func(n int) (due int) {
			for range n {
				if trims.Due("t") {
					due++
				}
			}
			return due
		}
		if n := count(every - 1); n != 0 {
			t.Errorf("due %d times before %d", n, every)
		}
		if n := count(every + 1); n != 2 {
			t.Errorf("due %d times at %d and %d", n, every, 2*every)
		}
		time.Sleep(after + 1)
		if !trims.Due("t") || trims.Due("t") || trims.Due("other") {
			t.Error("time does not count, counts twice, or over topics")
		}
	})
}
