package event

// Type says what happened, lower case and dotted.
type Type string

// The types of this release. A consumer that does not know a type leaves the
// event alone; it never guesses.
const (
	ScanQueued    Type = "scan.queued"
	ScanStarted   Type = "scan.started"
	ScanCompleted Type = "scan.completed"
	ScanFailed    Type = "scan.failed"
	ScanCancelled Type = "scan.cancelled"
	SBOMCreated   Type = "sbom.created"
	// AdvisoryDelta says that there is a new head of the advisories, AdvisoryDrift
	// whom of one tenant it concerns. Their data are Delta and Drift.
	AdvisoryDelta Type = "advisory.delta"
	AdvisoryDrift Type = "advisory.drift"
	// VEXDelta says that other things are decided about vulnerabilities by what
	// suppliers say. Its data is ConsensusDelta.
	VEXDelta Type = "vex.delta"
	// ScanJob is not announced to everybody: it is the job message itself.
	ScanJob Type = "scan.job"
)

// The topics, named as the streams that carry them. On NATS, dots stand for the
// colons.
const (
	ScannerJobs   = "scanner:jobs"
	ScannerEvents = "scanner:events"
	// ConcelierDeltas carries advisory.delta, which belongs to no tenant, and
	// ConcelierDrift advisory.drift.
	ConcelierDeltas = "concelier:deltas"
	ConcelierDrift  = "concelier:drift"
	// ExcititorDeltas carries vex.delta: of what is public, which belongs to no tenant,
	// and of what a tenant has of its own.
	ExcititorDeltas = "excititor:deltas"
	// SchedulerEvaluations carries jobs that evaluate a scan again.
	SchedulerEvaluations = "scheduler:evaluations"
)

// The groups that read topics. Each sees every message of its topic.
const (
	GroupScannerWorkers = "scanner-workers"
	GroupScannerWeb     = "scanner-web"
	GroupNotify         = "notify-workers"
	GroupTimeline       = "timeline"
	GroupPolicy         = "policy"
	GroupExport         = "export"
	GroupConcelier      = "concelier-workers"
	GroupScheduler      = "scheduler"
	GroupPolicyWorkers  = "policy-workers"
)

// Dead returns the topic that holds what could not be handled.
func Dead(topic string) string { return topic + ":dead" }
