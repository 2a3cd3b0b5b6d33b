package auth

// The rights that tokens carry. A route needs one of them; see the table of routes.
const (
	ScannerRead    = "scanner:read"      // scans, documents, findings
	ScannerScan    = "scanner:scan"      // submit and cancel
	ScannerWork    = "scanner:work"      // claim jobs and report on them: workers alone
	ScannerExport  = "scanner:export"    // download and ask for exports
	ExportOperate  = "export:operate"    // settings of exports, where they are pushed to
	AdvisoryRead   = "advisory:read"     // advisories and snapshots
	AdvisoryManage = "advisory:manage"   // approve runs that are held, have sources read
	VEXRead        = "vex:read"          // statements and decisions
	VEXIngest      = "vex:ingest"        // upload to the tenant's own scope
	VEXAdmin       = "vex:admin"         // whom the tenant believes
	VEXManage      = "vex:manage"        // both for what is public
	PolicyRead     = "policy:read"       // policies, exceptions, verdicts
	PolicyAuthor   = "policy:author"     // keep policies and put them in force
	ExceptionWrite = "exception:approve" // make and revoke exceptions
	AttestSign     = "attest:sign"       // have statements signed and attested
	AttestRead     = "attest:read"       // attestations, keys, verification
	NotifyViewer   = "notify.viewer"     // settings, deliveries, preferences of one's own
	NotifyOperator = "notify.operator"   // settings, preferences of others, tests, replays
	NotifyPayloads = "notify.payloads"   // messages as they were sent
	TimelineRead   = "timeline:read"     // what happened to everybody of the tenant
	SchedulerRead  = "scheduler:read"    // schedules and runs
	SchedulerWrite = "scheduler:operate" // make and run schedules
	AuthorityAdmin = "authority:admin"   // users, clients and keys of the tenant
)

// Scopes describes every right, for consent pages and documents.
func Scopes() map[string]string {
	return map[string]string{
		ScannerRead: "read scans, documents and findings", ScannerScan: "submit and cancel scans", ScannerWork: "run scans as a worker",
		ScannerExport: "download exports of scans", ExportOperate: "set what is exported and where it is pushed to",
		AdvisoryRead: "read advisories", AdvisoryManage: "have sources read, and approve what they say",
		VEXRead: "read VEX", VEXIngest: "upload VEX of the tenant", VEXAdmin: "say whose VEX the tenant believes", VEXManage: "manage public VEX",
		PolicyRead: "read policies, exceptions and verdicts", PolicyAuthor: "write policies and put them in force", ExceptionWrite: "make and revoke exceptions",
		AttestSign: "have statements signed", AttestRead: "read and verify attestations",
		NotifyViewer: "read notifications and keep preferences", NotifyOperator: "set rules and endpoints of notifications", NotifyPayloads: "read messages as they were sent",
		TimelineRead: "read the timeline", SchedulerRead: "read schedules", SchedulerWrite: "make and run schedules",
		AuthorityAdmin: "manage users, clients and keys",
	}
}
