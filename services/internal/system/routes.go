package system

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/services/auth"
)

// Route is an operation of the platform: who answers it, and who may ask.
type Route struct {
	System string
	Method string
	Path   string // a pattern of net/http's ServeMux, without method and host
	// Scopes are rights of which one is needed. None: the route is public, and who answers
	// it knows by itself whom to believe.
	Scopes []string
	// Large says that a body may be over 1 MiB, up to so many bytes.
	Large int64
	// Keys lets API keys in, for clients of other products, and those alone.
	Keys bool
	// Pass are headers of requests that this system reads beside the usual ones.
	Pass []string
}

// Public reports whether nobody need say who he is.
func (r *Route) Public() bool { return len(r.Scopes) == 0 }

// The bounds of large bodies.
const (
	maxResults  = 256 << 20 // what a worker reports
	maxDocument = 64 << 20  // an SBOM or VEX document
)

// Routes returns the table of all operations, in the order of systems and paths.
func Routes() []Route {
	var out []Route
	for _, t := range tables {
		for _, line := range t.routes {
			fields := strings.Fields(line.operation)
			r := Route{System: t.system, Method: fields[0], Path: fields[1], Scopes: line.scopes, Keys: t.keys, Pass: passed[fields[1]]}
			if len(fields) == 3 {
				r.Large = map[string]int64{"results": maxResults, "document": maxDocument}[fields[2]]
			}
			out = append(out, r)
		}
	}
	return out
}

// Systems returns the systems that have an API, sorted.
func Systems() []string {
	var out []string
	for _, t := range tables {
		out = append(out, t.system)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// operations are some of one system.
type operations struct {
	system string
	keys   bool
	routes []operation
}

// operation is "METHOD PATH", and what makes a body large.
type operation struct {
	operation string
	scopes    []string
}

func needs(scopes ...string) []string { return scopes }

// passed are headers that some paths read beside the usual ones.
var passed = map[string][]string{
	"/authorize":               {"Origin", "Sec-Fetch-Site"}, // pages, whose forms only they may send
	"/device":                  {"Origin", "Sec-Fetch-Site"},
	"/console/{path...}":       {"Origin", "Sec-Fetch-Site"},
	"/api/v1/scheduler/deltas": {"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"},
}

var tables = []operations{
	{"authority", false, []operation{ // who checks credentials by itself
		{"GET /.well-known/oauth-authorization-server", nil},
		{"GET /.well-known/openid-configuration", nil},
		{"GET /jwks", nil},
		{"POST /token", nil},
		{"GET /authorize", nil},
		{"POST /authorize", nil},
		{"POST /par", nil},
		{"POST /device_authorization", nil},
		{"GET /device", nil},
		{"POST /device", nil},
		{"POST /introspect", nil},
		{"POST /revoke", nil},
		{"POST /register", needs(auth.AuthorityAdmin)},
	}},
	{"authority", false, []operation{
		{"GET /api/v1/authority/tenants", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/tenants/{tenant_id}", needs(auth.AuthorityAdmin)},
		{"PUT /api/v1/authority/tenants/{tenant_id}", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/users", needs(auth.AuthorityAdmin)},
		{"POST /api/v1/authority/users", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/users/{user_id}", needs(auth.AuthorityAdmin)},
		{"PUT /api/v1/authority/users/{user_id}", needs(auth.AuthorityAdmin)},
		{"POST /api/v1/authority/users/{user_id}/password", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/clients", needs(auth.AuthorityAdmin)},
		{"POST /api/v1/authority/clients", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/clients/{client_id}", needs(auth.AuthorityAdmin)},
		{"PUT /api/v1/authority/clients/{client_id}", needs(auth.AuthorityAdmin)},
		{"POST /api/v1/authority/clients/{client_id}/secret", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/api-keys", needs(auth.AuthorityAdmin)},
		{"POST /api/v1/authority/api-keys", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/api-keys/{key_id}", needs(auth.AuthorityAdmin)},
		{"DELETE /api/v1/authority/api-keys/{key_id}", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/keys", needs(auth.AuthorityAdmin)},
		{"POST /api/v1/authority/keys", needs(auth.AuthorityAdmin)},
		{"GET /api/v1/authority/journal", needs(auth.AuthorityAdmin)},
	}},
	{"scheduler", false, []operation{
		{"GET /api/v1/scheduler/schedules", needs(auth.SchedulerRead)},
		{"GET /api/v1/scheduler/schedules/{schedule_id}", needs(auth.SchedulerRead)},
		{"PUT /api/v1/scheduler/schedules/{schedule_id}", needs(auth.SchedulerWrite)},
		{"DELETE /api/v1/scheduler/schedules/{schedule_id}", needs(auth.SchedulerWrite)},
		{"POST /api/v1/scheduler/schedules/{schedule_id}/run", needs(auth.SchedulerWrite)},
		{"GET /api/v1/scheduler/schedules/{schedule_id}/runs", needs(auth.SchedulerRead)},
		{"GET /api/v1/scheduler/schedules/{schedule_id}/runs/{run_id}", needs(auth.SchedulerRead)},
		{"GET /api/v1/scheduler/evaluations", needs(auth.SchedulerRead)},
		{"POST /api/v1/scheduler/deltas", nil}, // signed by who sends it
	}},
	{"scanner", false, []operation{
		{"POST /api/v1/scans document", needs(auth.ScannerScan)},
		{"GET /api/v1/scans", needs(auth.ScannerRead)},
		{"GET /api/v1/scan-states", needs(auth.ScannerRead)},
		{"GET /api/v1/scans/{scan_id}", needs(auth.ScannerRead)},
		{"GET /api/v1/scans/{scan_id}/manifest", needs(auth.ScannerRead)},
		{"POST /api/v1/scans/{scan_id}/cancel", needs(auth.ScannerScan)},
		{"GET /api/v1/scans/{scan_id}/documents", needs(auth.ScannerRead)},
		{"GET /api/v1/scans/{scan_id}/documents/{format}", needs(auth.ScannerRead)},
		{"GET /api/v1/scans/{scan_id}/findings", needs(auth.ScannerRead)},
		{"POST /api/v1/scans/{scan_id}/claim", needs(auth.ScannerWork)},
		{"POST /api/v1/scans/{scan_id}/heartbeat", needs(auth.ScannerWork)},
		{"POST /api/v1/scans/{scan_id}/resolve", needs(auth.ScannerWork)},
		{"POST /api/v1/scans/{scan_id}/complete results", needs(auth.ScannerWork)},
		{"POST /api/v1/scans/{scan_id}/fail", needs(auth.ScannerWork)},
	}},
	{"scanner", true, []operation{ // for clients of other products, by API keys
		{"GET /harbor/api/v1/metadata", needs(auth.ScannerRead, auth.ScannerScan)},
		{"POST /harbor/api/v1/scan", needs(auth.ScannerScan)},
		{"GET /harbor/api/v1/scan/{scan_request_id}/report", needs(auth.ScannerRead)},
		{"PUT /api/v1/bom document", needs(auth.ScannerScan)},
		{"POST /api/v1/bom document", needs(auth.ScannerScan)},
		{"GET /api/v1/bom/token/{uuid}", needs(auth.ScannerRead, auth.ScannerScan)},
		{"GET /api/v1/event/token/{uuid}", needs(auth.ScannerRead, auth.ScannerScan)},
		{"GET /api/v1/project", needs(auth.ScannerRead)},
		{"GET /api/v1/project/lookup", needs(auth.ScannerRead)},
		{"GET /api/v1/project/{uuid}", needs(auth.ScannerRead)},
		{"GET /api/v1/finding/project/{uuid}", needs(auth.ScannerRead)},
		{"GET /api/v1/metrics/project/{uuid}/current", needs(auth.ScannerRead)},
		{"GET /api/v1/team/self", needs(auth.ScannerRead, auth.ScannerScan)},
		{"GET /api/version", needs(auth.ScannerRead, auth.ScannerScan)},
	}},
	{"exporter", false, []operation{
		{"GET /api/v1/scans/{scan_id}/export", needs(auth.ScannerExport)},
		{"GET /api/v1/scans/{scan_id}/exports", needs(auth.ScannerExport)},
		{"POST /api/v1/scans/{scan_id}/exports", needs(auth.ScannerExport)},
		{"GET /api/v1/export-settings", needs(auth.ScannerExport, auth.ExportOperate)},
		{"PUT /api/v1/export-settings", needs(auth.ExportOperate)},
	}},
	{"concelier", false, []operation{
		{"GET /api/v1/advisories", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/{id}", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/heads/{number}", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/heads/{number}/facts", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/linksets/{key}", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/sources", needs(auth.AdvisoryRead)},
		{"POST /api/v1/advisories/sources/{source}/approve", needs(auth.AdvisoryManage)},
		{"POST /api/v1/advisories/sources/{source}/sync", needs(auth.AdvisoryManage)},
		{"GET /api/v1/advisories/documents/{digest}", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/snapshots/{digest}", needs(auth.AdvisoryRead)},
		{"POST /api/v1/advisories/snapshots/{digest}/query", needs(auth.AdvisoryRead)},
		{"GET /api/v1/advisories/objects/{digest}", needs(auth.AdvisoryRead)},
		{"POST /api/v1/advisories/match document", needs(auth.AdvisoryRead)},
		{"POST /api/v1/advisories/explain document", needs(auth.AdvisoryRead)},
	}},
	{"excititor", false, []operation{
		{"POST /api/v1/vex/documents document", needs(auth.VEXIngest, auth.VEXManage)},
		{"GET /api/v1/vex/documents/{digest}", needs(auth.VEXRead)},
		{"GET /api/v1/vex/statements", needs(auth.VEXRead)},
		{"GET /api/v1/vex/consensus", needs(auth.VEXRead)},
		{"GET /api/v1/vex/heads/{number}", needs(auth.VEXRead)},
		{"GET /api/v1/vex/sources", needs(auth.VEXRead)},
		{"GET /api/v1/vex/snapshots/{digest}", needs(auth.VEXRead)},
		{"POST /api/v1/vex/snapshots/{digest}/query", needs(auth.VEXRead)},
		{"GET /api/v1/vex/trust", needs(auth.VEXRead)},
		{"PUT /api/v1/vex/trust document", needs(auth.VEXAdmin, auth.VEXManage)},
	}},
	{"policy", false, []operation{
		{"GET /api/v1/policies", needs(auth.PolicyRead)},
		{"POST /api/v1/policies document", needs(auth.PolicyAuthor)},
		{"GET /api/v1/policies/activations", needs(auth.PolicyRead)},
		{"POST /api/v1/policies/deactivate", needs(auth.PolicyAuthor)},
		{"POST /api/v1/policies/simulate document", needs(auth.PolicyRead)},
		{"GET /api/v1/policies/{policy_id}", needs(auth.PolicyRead)},
		{"GET /api/v1/policies/{policy_id}/versions/{version}", needs(auth.PolicyRead)},
		{"GET /api/v1/policies/{policy_id}/versions/{version}/source", needs(auth.PolicyRead)},
		{"POST /api/v1/policies/{policy_id}/versions/{version}/activate", needs(auth.PolicyAuthor)},
		{"GET /api/v1/exceptions", needs(auth.PolicyRead)},
		{"POST /api/v1/exceptions", needs(auth.ExceptionWrite)},
		{"GET /api/v1/exceptions/{exception_id}", needs(auth.PolicyRead)},
		{"POST /api/v1/exceptions/{exception_id}/revoke", needs(auth.ExceptionWrite)},
		{"GET /api/v1/posture", needs(auth.PolicyRead)},
		{"GET /api/v1/scans/{scan_id}/verdict", needs(auth.PolicyRead)},
		{"GET /api/v1/scans/{scan_id}/verdicts", needs(auth.PolicyRead)},
		{"GET /api/v1/verdicts/{key}", needs(auth.PolicyRead)},
		{"GET /api/v1/verdicts/{key}/trace", needs(auth.PolicyRead)},
	}},
	{"signer", false, []operation{
		{"POST /api/v1/sign document", needs(auth.AttestSign)},
	}},
	{"attestor", false, []operation{
		{"POST /api/v1/attest document", needs(auth.AttestSign)},
		{"GET /api/v1/attestations", needs(auth.AttestRead)},
		{"POST /api/v1/attestations/verify document", needs(auth.AttestRead)},
		{"GET /api/v1/attestations/{attestation_id}", needs(auth.AttestRead)},
		{"GET /api/v1/trust-root", needs(auth.AttestRead)},
	}},
	{"console", false, []operation{ // pages, which ask for a login by themselves
		{"GET /{$}", nil},
		{"GET /console", nil},
		{"GET /console/{path...}", nil},
		{"POST /console/{path...} document", nil},
	}},
	{"notifier", false, settings("endpoints", "endpoint_id", "rules", "rule_id", "templates", "template_id", "maintenance", "maintenance_id", "inhibitions", "inhibition_id")},
	{"notifier", false, []operation{
		{"GET /api/v1/notify/preferences", needs(auth.NotifyViewer)},
		{"GET /api/v1/notify/preferences/{endpoint_id}", needs(auth.NotifyViewer)},
		{"PUT /api/v1/notify/preferences/{endpoint_id}", needs(auth.NotifyViewer)},
		{"DELETE /api/v1/notify/preferences/{endpoint_id}", needs(auth.NotifyViewer)},
		{"GET /api/v1/notify/users/{user}/preferences", needs(auth.NotifyOperator)},
		{"GET /api/v1/notify/users/{user}/preferences/{endpoint_id}", needs(auth.NotifyOperator)},
		{"PUT /api/v1/notify/users/{user}/preferences/{endpoint_id}", needs(auth.NotifyOperator)},
		{"DELETE /api/v1/notify/users/{user}/preferences/{endpoint_id}", needs(auth.NotifyOperator)},
		{"POST /api/v1/notify/preview", needs(auth.NotifyViewer)},
		{"POST /api/v1/notify/endpoints/{endpoint_id}/test", needs(auth.NotifyOperator)},
		{"GET /api/v1/notify/endpoint-states", needs(auth.NotifyViewer)},
		{"GET /api/v1/notify/deliveries", needs(auth.NotifyViewer)},
		{"GET /api/v1/notify/deliveries/{delivery_id}", needs(auth.NotifyViewer)},
		{"GET /api/v1/notify/deliveries/{delivery_id}/payload", needs(auth.NotifyPayloads)},
		{"GET /api/v1/notify/deliveries/{delivery_id}/items", needs(auth.NotifyViewer)},
		{"POST /api/v1/notify/deliveries/{delivery_id}/replay", needs(auth.NotifyOperator)},
		{"GET /api/v1/notify/incidents/{incident_id}", needs(auth.NotifyViewer)},
		{"POST /api/v1/notify/incidents/{incident_id}/acknowledge", needs(auth.NotifyViewer)},
		{"GET /api/v1/notify/ack", nil}, // the link is its own proof
		{"POST /api/v1/notify/ack", nil},
	}},
	{"timeline", false, []operation{
		{"GET /api/v1/timeline/events", needs(auth.TimelineRead)},
		{"GET /api/v1/timeline/events/{seq}", needs(auth.TimelineRead)},
		{"GET /api/v1/timeline/head", needs(auth.TimelineRead)},
		{"GET /api/v1/timeline/export", needs(auth.TimelineRead)},
		{"GET /api/v1/timeline/checkpoints", needs(auth.TimelineRead)},
		{"GET /api/v1/timeline/checkpoints/{number}", needs(auth.TimelineRead)},
		{"GET /api/v1/timeline/gaps", needs(auth.TimelineRead)},
	}},
}

// settings are the operations of collections of notifications: names and their members.
func settings(names ...string) (out []operation) {
	for pair := range slices.Chunk(names, 2) {
		all, one := "/api/v1/notify/"+pair[0], "/api/v1/notify/"+pair[0]+"/{"+pair[1]+"}"
		out = append(out,
			operation{"GET " + all, needs(auth.NotifyViewer)}, operation{"GET " + one, needs(auth.NotifyViewer)},
			operation{"PUT " + one, needs(auth.NotifyOperator)}, operation{"DELETE " + one, needs(auth.NotifyOperator)})
	}
	return out
}
