package proof

import (
	"errors"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
)

// at has something happen whenever a point is passed for the nth time.
func (l *lab) at(p crashpoint.Point, nth int, do func()) {
	l.Helper()
	passed := 0
	defer crashpoint.Set(crashpoint.Set(func(at crashpoint.Point) {
		if at == p {
			if passed++; passed == nth {
				do()
			}
		}
	}))
	l.work()
	if passed < nth {
		l.Errorf("%s was passed %d times, want %d", p, passed, nth)
	}
}

func (l *lab) collect() {
	l.Helper()
	if _, err := l.root.Collect(l.Context(), &store.Retention{Scans: time.Nanosecond}); err != nil {
		l.Fatal(err)
	}
}

// midway are the points between which a scan is deleted.
var midway = []crashpoint.Point{
	crashpoint.SignRead, crashpoint.SignMade, crashpoint.SignKept, crashpoint.AttestVerified, crashpoint.AttestObject, crashpoint.AttestKept, crashpoint.AttestStamped, crashpoint.AttestLogged, crashpoint.AttestProved,
	crashpoint.ExportRequested, crashpoint.ExportRead, crashpoint.ExportMade, crashpoint.ExportStored, crashpoint.ExportAttested, crashpoint.ExportBundled, crashpoint.ExportNamed, crashpoint.ExportFinished, crashpoint.ExportPushed, crashpoint.ExportNoted,
}

// deleted is 6.11: nothing of a scan comes back that was deleted meanwhile.
func (f *flow) deleted(l *lab) {
	for _, p := range midway {
		l := f.base.copy(l)
		l.at(p, 1, l.collect)
		l.restart()
		l.work()
		if _, err := l.tenant.Scans().Job(l.Context(), l.scan); !errors.Is(err, fault.NotFound) {
			l.Errorf("%s: the scan: %v", p, err)
		}
		for table, n := range l.rows() {
			if n > 0 && table != "transport_outbox" {
				l.Errorf("%s: %d rows of %s of a scan that was deleted", p, n, table)
			}
		}
		bucket, err := l.bucket.Sub("acme")
		if err != nil {
			l.Fatal(err)
		}
		if _, err := bucket.Collect(l.Context(), l.tenant.References(), time.Nanosecond); err != nil {
			l.Error(err)
		}
		for info, err := range bucket.List(l.Context(), "sha256/") {
			l.Errorf("%s: object %s is kept: %v", p, info.Key, err)
		}
		l.close()
	}
}

// held is 6.11: a scan that is held is not deleted, and neither is what is made of it.
func (f *flow) held(l *lab) {
	for _, p := range some(midway) {
		l := f.base.copy(l)
		if err := l.tenant.Attest().Hold(l.Context(), l.scan, "case 17", "ann"); err != nil {
			l.Fatal(err)
		}
		l.at(p, 1, l.collect)
		l.collect()
		f.same(l)
		l.close()
	}
}
