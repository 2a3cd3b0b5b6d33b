package system

import (
	"context"
	"net/http"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/pullsecret"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/vex"
	vexingest "github.com/stella-ops/stella/vex/ingest"
)

// Settings are what an operator chose, opened and checked. The zero value is an
// installation that reads no sources, signs nothing and reaches public addresses alone.
type Settings struct {
	Lease time.Duration // of jobs; 0 is the default of each package

	// Scanner.
	Quota       scan.Quota
	Pull        *pullsecret.Box // nil: no credentials of requests are taken
	StoreLayers bool

	// Worker.
	Parallel   int // scans at a time; 0 is 2
	Formats    []string
	TempDir    string
	Images     *image.Network // nil is that of services
	Registries func(tenant string) image.Credentials
	PlainHTTP  []string // registries that may be asked without encryption

	// Concelier and Excititor.
	Advisories Feeds
	VEX        VEXFeeds

	// Signer, Attestor, Export Center.
	Signing Signing

	// Notifier.
	Notify Notify

	// Timeline Indexer.
	Checkpoints Checkpoints

	// Scheduler.
	Retention *store.Retention

	Clients Clients
}

// Feeds are the sources of advisories that Concelier reads.
type Feeds struct {
	Sources []ingest.Scheduled
	Door    advisory.Door
}

// VEXFeeds are the sources of VEX that Excititor reads for everybody. Tenants have what
// they upload.
type VEXFeeds struct {
	Sources  []vexingest.Scheduled
	Door     vex.Door
	Trust    *vex.Trust // nil leaves the one in force
	Verifier vex.Verifier
}

// Signing is who signs, and who proves it.
type Signing struct {
	Keys   attest.Keys // nil: nothing is signed in this process
	Grants []attest.Grant
	// Root is whom tenants believe; nil believes nobody.
	Root    *attest.Root
	Log     attest.Log
	Stamper attest.Stamper
	// Publish has the log's checkpoint made anew, where it has witnesses. Nil: not here.
	Publish func(ctx context.Context) error
	// Parallel is how many exports are made at a time; 0 is 2.
	Parallel int
	// Defaults hold for tenants that have no settings of exports.
	Defaults export.Settings
	// Secret gives what a tenant's reference of a destination stands for.
	Secret func(ctx context.Context, tenant, ref string) ([]byte, error)
	// Transport reaches destinations; nil is the door of services.
	Transport http.RoundTripper
}

// Notify is how people are reached.
type Notify struct {
	BaseURL  string
	Ack      *notify.AckKey // nil: messages have no links to take note
	Channels channels.Options
	Backoff  notify.Backoff
	Parallel int // deliveries at a time; 0 is 32

	Lease time.Duration // of deliveries; 0 is the default of package notify
}

// Checkpoints of timelines are signed with Key and kept in Sink. The zero value makes none.
type Checkpoints struct {
	Key   dsse.Signer
	Trust dsse.Trust
	Sink  timeline.Sink
	Every time.Duration // 0 is a second
}

// Clients are systems that run elsewhere. Those that are nil run in this process, or are
// not asked.
type Clients struct {
	Scanner  *Remote
	Signer   *Remote
	Attestor *Remote
}
