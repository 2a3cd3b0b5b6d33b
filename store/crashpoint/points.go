package crashpoint

// The points of the scan flow, in its order. The comment says what the process
// did just before; docs/architecture.md says what must hold afterwards.
const (
	SubmitBegin      Point = "scan.submit.begin"       // nothing
	SubmitJob        Point = "scan.submit.job"         // inserted the job
	SubmitKey        Point = "scan.submit.key"         // inserted the idempotency row
	SubmitEvent      Point = "scan.submit.event"       // inserted the outbox rows
	SubmitCommitted  Point = "scan.submit.committed"   // committed, nobody was answered
	RelayClaimed     Point = "relay.claimed"           // claimed outbox rows
	RelayPublished   Point = "relay.published"         // published them, not marked
	RelayMarked      Point = "relay.marked"            // marked them
	RelayRepublished Point = "relay.republished"       // returned unconsumed rows after a loss
	Received         Point = "queue.received"          // received a message, not handled
	Handled          Point = "queue.handled"           // handled it, not settled
	Settled          Point = "queue.settled"           // settled it
	ClaimBegin       Point = "scan.claim.begin"        // nothing
	ClaimUpdated     Point = "scan.claim.updated"      // took the lease, not committed
	ClaimCommitted   Point = "scan.claim.committed"    // committed the lease
	WorkerScanned    Point = "scan.worker.scanned"     // scanned, stored nothing
	WorkerFragment   Point = "scan.worker.fragment"    // stored a fragment
	WorkerSBOM       Point = "scan.worker.sbom"        // stored the composed documents
	WorkerNamed      Point = "scan.worker.named"       // copied them to their human names
	CompleteSBOM     Point = "scan.complete.sbom"      // inserted documents
	CompletePackages Point = "scan.complete.packages"  // inserted packages
	CompleteFindings Point = "scan.complete.findings"  // inserted findings
	CompleteGate     Point = "scan.complete.gate"      // compared the head with the current one
	CompleteEvent    Point = "scan.complete.event"     // inserted the outbox rows
	CompleteDone     Point = "scan.complete.committed" // committed, message not acknowledged
	FailCommitted    Point = "scan.fail.committed"     // committed a failed attempt
	EvaluateClaimed  Point = "scan.evaluate.claimed"   // took the evaluation lease
	EvaluateVerdict  Point = "scan.evaluate.verdict"   // has a verdict, stored nothing
	EvaluateSigned   Point = "scan.evaluate.signed"    // has a signature, stored nothing
	EvaluateUpdated  Point = "scan.evaluate.updated"   // wrote state and event, not committed
	EvaluateDone     Point = "scan.evaluate.committed" // committed, message not acknowledged
	CancelCommitted  Point = "scan.cancel.committed"   // committed a cancellation
	SweepRequeued    Point = "scan.sweep.requeued"     // announced jobs again whose lease expired
	BlobWritten      Point = "blob.written"            // wrote a temporary object
	BlobSynced       Point = "blob.synced"             // made it durable, not named
	BlobNamed        Point = "blob.named"              // named it
	CollectListed    Point = "blob.collect.listed"     // listed candidates
	CollectChecked   Point = "blob.collect.checked"    // found one unreferenced, not deleted
)

// The points of advisories, in their order.
const (
	IngestBegun      Point = "advisory.run.begun"         // took a source, fetched nothing
	IngestFetched    Point = "advisory.fetched"           // has a document, stored nothing
	IngestObject     Point = "advisory.keep.object"       // wrote the object of a large document
	IngestContents   Point = "advisory.keep.contents"     // inserted contents
	IngestDocuments  Point = "advisory.keep.documents"    // inserted their documents
	IngestKept       Point = "advisory.keep.committed"    // committed them, read none
	IngestParsed     Point = "advisory.parsed"            // read documents, stored nothing of them
	IngestEnded      Point = "advisory.observe.ended"     // ended what earlier documents said
	IngestInserted   Point = "advisory.observe.inserted"  // inserted what documents say
	IngestObserved   Point = "advisory.observe.committed" // committed it
	IngestCompared   Point = "advisory.compared"          // compared with what is released
	IngestGone       Point = "advisory.finish.gone"       // ended documents that are gone
	IngestState      Point = "advisory.finish.state"      // wrote state and release, not committed
	IngestFinished   Point = "advisory.finish.committed"  // committed them
	IngestApproved   Point = "advisory.approve.committed" // released a run that was held
	PublishSegment   Point = "advisory.publish.segment"   // put a segment of a snapshot
	PublishManifest  Point = "advisory.publish.manifest"  // put everything, committed nothing
	PublishHead      Point = "advisory.commit.head"       // inserted a head
	PublishFacts     Point = "advisory.commit.facts"      // inserted its facts
	PublishLinksets  Point = "advisory.commit.linksets"   // wrote linksets and advisories
	PublishEvent     Point = "advisory.commit.event"      // inserted the outbox row
	PublishCommitted Point = "advisory.commit.committed"  // committed, nobody was told
)

// The points of what follows a new head, in their order.
const (
	DriftWritten    Point = "drift.page.written"   // inserted a page of drift and its events
	DriftCommitted  Point = "drift.page.committed" // committed it
	ScheduleWritten Point = "schedule.written"     // inserted evaluations and their messages
	ScheduleDone    Point = "schedule.committed"   // committed them, message not acknowledged
	RematchClaimed  Point = "rematch.claimed"      // committed the lease of an evaluation
	RematchMatched  Point = "rematch.matched"      // matched, stored nothing
	RematchWritten  Point = "rematch.written"      // inserted the report
	RematchDone     Point = "rematch.committed"    // committed it, message not acknowledged
)

// The points of VEX, in their order.
const (
	VEXBegun     Point = "vex.run.begun"         // took a source, fetched nothing
	VEXFetched   Point = "vex.fetched"           // has a document, stored nothing
	VEXContents  Point = "vex.keep.contents"     // inserted a content
	VEXDocuments Point = "vex.keep.documents"    // inserted its document
	VEXKept      Point = "vex.keep.committed"    // committed them, read none
	VEXVerified  Point = "vex.verified"          // checked a signature, read nothing
	VEXParsed    Point = "vex.parsed"            // read documents, stored nothing of them
	VEXEnded     Point = "vex.observe.ended"     // ended what an earlier document said
	VEXInserted  Point = "vex.observe.inserted"  // inserted what a document says
	VEXObserved  Point = "vex.observe.committed" // committed it
	VEXGone      Point = "vex.finish.gone"       // ended documents that are gone
	VEXState     Point = "vex.finish.state"      // wrote state and release, not committed
	VEXFinished  Point = "vex.finish.committed"  // committed them
	VEXDecided   Point = "vex.decided"           // decided, committed nothing
	VEXHead      Point = "vex.commit.head"       // inserted a head
	VEXDecisions Point = "vex.commit.decisions"  // wrote its decisions
	VEXEvent     Point = "vex.commit.event"      // inserted the outbox rows
	VEXCommitted Point = "vex.commit.committed"  // committed, nobody was told
	VEXTrusted   Point = "vex.trust.committed"   // committed another trust, decided nothing by it
)

// The points of policy, in their order.
const (
	PolicyLoaded    Point = "policy.loaded"             // read the inputs of a verdict
	PolicyEvaluated Point = "policy.evaluated"          // decided, stored nothing
	PolicyVerdicts  Point = "policy.keep.verdicts"      // inserted verdicts with their traces
	PolicyCurrent   Point = "policy.keep.current"       // made them current, with their events
	PolicyNext      Point = "policy.keep.next"          // noted when they are due again, and the message
	PolicyKept      Point = "policy.keep.committed"     // committed, message not acknowledged
	PolicyFailed    Point = "policy.fail.committed"     // committed a failed attempt
	PolicyCaused    Point = "policy.due.committed"      // committed what makes scans due, told nobody
	PolicyWaking    Point = "policy.wake.written"       // inserted messages for due scans
	PolicyWoken     Point = "policy.wake.committed"     // committed them
	PolicyChanged   Point = "policy.activate.committed" // committed another policy or exception
)

var points = []Point{
	SubmitBegin, SubmitJob, SubmitKey, SubmitEvent, SubmitCommitted,
	RelayClaimed, RelayPublished, RelayMarked, RelayRepublished,
	Received, Handled, Settled,
	ClaimBegin, ClaimUpdated, ClaimCommitted,
	WorkerScanned, WorkerFragment, WorkerSBOM, WorkerNamed,
	CompleteSBOM, CompletePackages, CompleteFindings, CompleteGate, CompleteEvent, CompleteDone, FailCommitted,
	EvaluateClaimed, EvaluateVerdict, EvaluateSigned, EvaluateUpdated, EvaluateDone,
	CancelCommitted, SweepRequeued,
	BlobWritten, BlobSynced, BlobNamed, CollectListed, CollectChecked,
	IngestBegun, IngestFetched, IngestObject, IngestContents, IngestDocuments, IngestKept, IngestParsed, IngestEnded, IngestInserted, IngestObserved,
	IngestCompared, IngestGone, IngestState, IngestFinished, IngestApproved,
	PublishSegment, PublishManifest, PublishHead, PublishFacts, PublishLinksets, PublishEvent, PublishCommitted,
	DriftWritten, DriftCommitted, ScheduleWritten, ScheduleDone, RematchClaimed, RematchMatched, RematchWritten, RematchDone,
	VEXBegun, VEXFetched, VEXContents, VEXDocuments, VEXKept, VEXVerified, VEXParsed, VEXEnded, VEXInserted, VEXObserved, VEXGone, VEXState, VEXFinished,
	VEXDecided, VEXHead, VEXDecisions, VEXEvent, VEXCommitted, VEXTrusted,
	PolicyLoaded, PolicyEvaluated, PolicyVerdicts, PolicyCurrent, PolicyNext, PolicyKept, PolicyFailed, PolicyCaused, PolicyWaking, PolicyWoken, PolicyChanged,
}
