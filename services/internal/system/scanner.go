package system

import (
	"context"
	"net/http"
	"time"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/deptrack"
	"github.com/stella-ops/stella/scan/harbor"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// Scanner is Scanner.WebService: it takes scans, hands them to workers and takes their
// results, and has what completes judged and signed.
func Scanner(w *World) (*shell.Part, error) {
	signer, err := w.signer()
	if err != nil {
		return nil, err
	}
	completer := &scan.Completer{
		Jobs:      func(tenant string) (scan.Evaluations, error) { return part(w, tenant, (*store.Tenant).Scans) },
		Evaluator: &store.Judge{Gateway: w.gateway()}, Holder: w.Name, Lease: w.Settings.Lease,
	}
	if signer != nil {
		completer.Signer = &store.Notary{Signer: signer, Settings: w.center(nil, nil).Of, Report: w.report("scanner")}
	}
	return &shell.Part{Name: "scanner", Handler: w.scanAPI(), Loops: append(
		w.consume("scanner", reading{topic: event.ScannerEvents, group: event.GroupScannerWeb, parallel: 4, types: []event.Type{event.SBOMCreated}, register: true, handle: completer.Handle}),
		w.relay("scanner"),
	)}, nil
}

// scans are those of a tenant, as they are taken here.
func (w *World) scans(tenant string) (*store.Scans, error) {
	s, err := part(w, tenant, (*store.Tenant).Scans)
	if err != nil {
		return nil, err
	}
	o := &store.ScansOptions{Quota: w.Settings.Quota, Layers: w.Settings.StoreLayers}
	if w.Settings.Pull != nil {
		o.Seal = w.Settings.Pull.Seal
	}
	return s.With(o), nil
}

// scanAPI is the platform's own API of scans, and those of registries and pipelines that send
// their work as they do elsewhere.
func (w *World) scanAPI() http.Handler {
	uploads := func(tenant string) (scan.Uploads, error) { return w.objects(tenant) }
	adv, _ := w.advisories()
	own := &scanhttp.Handler{
		Store:     func(tenant string) (scan.Store, error) { return w.scans(tenant) },
		Jobs:      func(tenant string) (scan.Jobs, error) { return w.scans(tenant) },
		Documents: func(tenant string) (scanhttp.Documents, error) { return w.objects(tenant) },
		Uploads:   uploads, Identify: scannerIdentity, Report: w.request("scanner"),
	}
	registries := &harbor.Handler{
		Store:     func(tenant string) (scan.Store, error) { return w.scans(tenant) },
		Documents: func(tenant string) (harbor.Documents, error) { return w.objects(tenant) },
		Identify: func(r *http.Request) (harbor.Identity, error) {
			i, err := scannerIdentity(r)
			return harbor.Identity{Tenant: i.Tenant, Subject: i.Subject}, err
		},
		Updated: func(ctx context.Context) (time.Time, error) {
			h, err := adv.Head(ctx, 0)
			if err != nil {
				return time.Time{}, err
			}
			return h.At, nil
		},
		Scanner: harbor.Scanner{Name: "stella", Vendor: "stella", Version: w.Tool}, PlainHTTP: len(w.Settings.PlainHTTP) > 0, Report: w.request("scanner"),
	}
	pipelines := &deptrack.Handler{
		Scans: func(tenant string) (deptrack.Scans, error) { return w.scans(tenant) }, Uploads: uploads, Version: w.Tool, Report: w.request("scanner"),
		Identify: func(r *http.Request) (deptrack.Identity, error) {
			i, err := scannerIdentity(r)
			return deptrack.Identity{Tenant: i.Tenant, Subject: i.Subject}, err
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/harbor/", http.StripPrefix("/harbor", registries))
	mux.Handle("/", pipelines)
	mux.Handle("/api/v1/scans", own)
	mux.Handle("/api/v1/scans/", own)
	mux.Handle("/api/v1/scan-states", own)
	return mux
}

// relay publishes what the store announces. Any number of processes may run one.
func (w *World) relay(system string) shell.Loop {
	r := w.Store.Relay(w.Queue, &store.RelayOptions{Poll: 100 * time.Millisecond, Report: w.report(system)})
	return shell.Loop{Name: "relay", Run: r.Run}
}
