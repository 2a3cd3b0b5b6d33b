package system

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/export/target"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// The subjects of the systems that have statements signed.
const (
	exportCenter = "export-center"
	scannerWeb   = "scanner-web"
)

// Signer signs statements about scans.
func Signer(w *World) (*shell.Part, error) {
	s := w.localSigner()
	if s == nil {
		return nil, fmt.Errorf("signer: no key is configured: %w", fault.Invalid)
	}
	return &shell.Part{Name: "signer", Handler: &attesthttp.SignHandler{Signer: s, Identify: signIdentity, Report: w.request("signer")}}, nil
}

// localSigner signs with keys of this process; nil without one.
func (w *World) localSigner() *attest.Signer {
	if w.Settings.Signing.Keys == nil {
		return nil
	}
	return &attest.Signer{
		Facts: func(tenant string) (attest.Facts, error) { return w.reader(tenant) },
		Keys:  w.Settings.Signing.Keys, Stores: w.attests,
		Grants: append([]attest.Grant{{Subjects: []string{exportCenter, scannerWeb}}}, w.Settings.Signing.Grants...),
	}
}

// signer signs here, or has another process sign. It is nil where nobody does.
func (w *World) signer() (export.Signer, error) {
	if r := w.Settings.Clients.Signer; r != nil {
		return &remoteSigner{Remote: r, current: w.currentKey}, nil
	}
	if s := w.localSigner(); s != nil {
		return s, nil
	}
	return nil, nil
}

// currentKey is the key that signs now, by the trust root.
func (w *World) currentKey(_ context.Context, tenant, predicateType string) (string, error) {
	if root := w.Settings.Signing.Root; root != nil {
		if list := root.Keys.At(time.Now(), predicateType); len(list) > 0 {
			return list[0].Key.KeyID(), nil
		}
	}
	return "", fmt.Errorf("a key of tenant %.80q that may sign %.200q now: %w", tenant, predicateType, fault.NotFound)
}

func (w *World) attests(tenant string) (attest.Store, error) {
	return part(w, tenant, (*store.Tenant).Attest)
}

func (w *World) reader(tenant string) (*export.Reader, error) {
	source, err := part(w, tenant, (*store.Tenant).Exports)
	if err != nil {
		return nil, err
	}
	objects, err := w.objects(tenant)
	return &export.Reader{Source: source, Objects: objects, Tool: w.Tool}, err
}

// attestor keeps, stamps and logs what was signed, in this process.
func (w *World) attestor() *attest.Attestor {
	s := w.Settings.Signing
	root := s.Root
	if root == nil {
		root = new(attest.Root) // nobody is believed
	}
	return &attest.Attestor{
		Trust:   func(context.Context, string) (*attest.Trust, error) { return root.Trust(nil), nil },
		Stores:  w.attests,
		Objects: func(tenant string) (attest.Objects, error) { return w.objects(tenant) },
		Log:     s.Log, Stamper: s.Stamper, Now: time.Now,
	}
}

// Attestor takes envelopes, has them logged and says what was attested.
func Attestor(w *World) (*shell.Part, error) {
	a := w.attestor()
	p := &shell.Part{Name: "attestor", Handler: &attesthttp.AttestHandler{
		Attestor: a, Settings: w.center(nil, nil).Of,
		Root:     func(context.Context, string) (*attest.Root, error) { return w.Settings.Signing.Root, nil },
		Identify: attestIdentity, Report: w.request("attestor"),
	}}
	p.Loops = w.consume("attestor", reading{topic: event.AttestorSubmissions, group: event.GroupAttestorWorkers, parallel: 4, handle: a.Handle})
	if publish := w.Settings.Signing.Publish; publish != nil {
		p.Loops = append(p.Loops, w.every("attestor", "checkpoint", 10*time.Second, publish))
	}
	return p, nil
}

// center makes exports.
func (w *World) center(signer export.Signer, attestor export.Attestor) *export.Center {
	s := w.Settings.Signing
	c := &export.Center{
		Readers:  w.reader,
		Stores:   func(tenant string) (export.Store, error) { return part(w, tenant, (*store.Tenant).Exports) },
		Pushes:   func(tenant string) (export.Pushes, error) { return part(w, tenant, (*store.Tenant).Exports) },
		Settings: s.Defaults, Tool: w.Tool,
		Target: func(ctx context.Context, tenant string, d export.Destination) (export.Target, error) {
			return target.Open(ctx, d, &target.Options{Transport: s.Transport, Network: w.Settings.Images, Secret: func(ctx context.Context, ref string) ([]byte, error) {
				if s.Secret == nil {
					return nil, fmt.Errorf("secrets of destinations: none are configured: %w", fault.NotFound)
				}
				return s.Secret(ctx, tenant, ref)
			}})
		},
	}
	if signer != nil {
		c.Signer = signer
	}
	if attestor != nil {
		c.Attestor = attestor
	}
	return c
}

// Exporter is the Export Center: it makes exports of what completes, pushes them, and gives
// them out.
func Exporter(w *World, role Role) (*shell.Part, error) {
	signer, err := w.signer()
	if err != nil {
		return nil, err
	}
	var attestor export.Attestor = w.attestor()
	if r := w.Settings.Clients.Attestor; r != nil {
		attestor = &remoteAttestor{Remote: r, stores: w.attests}
	}
	c := w.center(signer, attestor)
	byDefault, _, err := policyfile.Default()
	if err != nil {
		return nil, err
	}
	if c.Default, err = compile(byDefault); err != nil {
		return nil, err
	}
	p := &shell.Part{Name: "exporter"}
	heal := &healing{center: c, wishes: make(chan wish, 64)}
	if role.web() {
		p.Loops = append(p.Loops, shell.Loop{Name: "heal", Run: heal.run(w.report("exporter"))})
		p.Handler = &attesthttp.ExportHandler{
			Center: c, Objects: func(tenant string) (attesthttp.Objects, error) { return w.objects(tenant) },
			Heal: heal.wish, Identify: exportIdentity, Report: w.request("exporter"),
		}
	}
	if role.worker() {
		h := &export.Handler{Center: c}
		p.Loops = append(p.Loops, w.consume("exporter",
			reading{topic: event.ScannerEvents, group: event.GroupExport, parallel: 2, types: []event.Type{event.ScanCompleted}, register: true, handle: h.Handle},
			reading{topic: event.ExportJobs, group: event.GroupExportWorkers, parallel: cmp.Or(w.Settings.Signing.Parallel, 2), handle: h.Handle},
		)...)
	}
	return p, nil
}

// wish is an export whose object is gone or damaged.
type wish struct {
	tenant, scan string
	format       export.Format
}

// healing makes exports once more, behind those who ask for them.
type healing struct {
	center *export.Center
	wishes chan wish
}

func (h *healing) wish(_ context.Context, tenant, scanID string, f export.Format) error {
	select {
	case h.wishes <- wish{tenant, scanID, f}:
		return nil
	default:
		return fmt.Errorf("export of scan %s as %s: too many are being put back: %w", scanID, f, fault.Unavailable)
	}
}

func (h *healing) run(report func(error)) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case q := <-h.wishes:
				if err := h.center.Make(ctx, q.tenant, q.scan, q.format, ""); err != nil && ctx.Err() == nil {
					report(fmt.Errorf("put back the export of scan %s as %s: %w", q.scan, q.format, err))
				}
			}
		}
	}
}
