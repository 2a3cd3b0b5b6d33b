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

// The points of proof, in their order.
const (
	SignRead        Point = "sign.read"                // read and verified what is signed
	SignMade        Point = "sign.made"                // has a signature, stored nothing
	SignKept        Point = "sign.keep.committed"      // committed it
	AttestVerified  Point = "attest.verified"          // verified an envelope, stored nothing
	AttestObject    Point = "attest.object"            // wrote the envelope's object
	AttestKept      Point = "attest.keep.committed"    // committed the attestation, proved nothing
	AttestStamped   Point = "attest.stamped"           // has a timestamp, stored nothing
	AttestLogged    Point = "attest.logged"            // has a receipt, stored nothing
	AttestProved    Point = "attest.prove.committed"   // committed a proof
	ExportRequested Point = "export.request.committed" // committed what is to be exported, with its messages
	ExportRead      Point = "export.read"              // read and verified what is exported
	ExportMade      Point = "export.made"              // made the document, stored nothing
	ExportStored    Point = "export.stored"            // wrote its object
	ExportAttested  Point = "export.attested"          // has its attestation
	ExportBundled   Point = "export.bundled"           // wrote the bundle's object
	ExportNamed     Point = "export.named"             // copied both to their human names
	ExportFinished  Point = "export.finish.committed"  // committed it, with what is to be pushed
	ExportFailed    Point = "export.fail.committed"    // committed a failed attempt
	ExportPushed    Point = "export.pushed"            // pushed it to a target, noted nothing
	ExportNoted     Point = "export.push.committed"    // committed that
)

// The points of loading a kit, in their order.
const (
	KitContent   Point = "kit.content.written" // wrote a content, not durable
	KitNamed     Point = "kit.content.named"   // made it durable and named it
	KitStaged    Point = "kit.staged"          // has all contents, activated nothing
	KitLearnt    Point = "kit.learnt"          // kept which versions were seen
	KitRelease   Point = "kit.release"         // wrote the metadata of the release
	KitActivated Point = "kit.activated"       // made it the active one, told nobody
	KitDropped   Point = "kit.collect.record"  // removed the metadata of a release, not its contents
	KitCollected Point = "kit.collect.content" // removed a content
)

// The points of the log, in their order.
const (
	LogStaged     Point = "log.staged"     // wrote the entries of a batch, committed nothing
	LogCommitted  Point = "log.committed"  // swapped the head to their checkpoint, no tile is written
	LogTile       Point = "log.tile"       // wrote one of the tiles
	LogIntegrated Point = "log.integrated" // wrote all of them, published nothing
	LogPublished  Point = "log.published"  // swapped the head to the published checkpoint, nobody was answered
	LogCleaned    Point = "log.cleaned"    // removed what was staged
)

// The points of notifications in a store, in their order.
const (
	NotifyRouteEvents   Point = "notify.route.events"     // noted the events, decided nothing
	NotifyRouteRead     Point = "notify.route.read"       // locked and read what is decided about
	NotifyRouteGroups   Point = "notify.route.groups"     // wrote groups and items
	NotifyRouteWritten  Point = "notify.route.written"    // inserted deliveries and their messages
	NotifyClaimWritten  Point = "notify.claim.written"    // noted an attempt
	NotifySettleWritten Point = "notify.settle.written"   // wrote the outcome and what follows
	NotifySetWritten    Point = "notify.set.written"      // inserted a setting, with what follows
	NotifySetDone       Point = "notify.set.committed"    // committed it, nobody was answered
	NotifyReplayDone    Point = "notify.replay.committed" // committed that a delivery is sent again
	NotifyAckDone       Point = "notify.ack.committed"    // committed that somebody takes care
)

// The points of Router and Deliverer. Those within their transactions are the store's.
const (
	NotifyRouted  Point = "notify.routed"  // committed who is told, the event is not acknowledged
	NotifyClaimed Point = "notify.claimed" // committed an attempt, nothing is sent
	NotifySent    Point = "notify.sent"    // the receiver answered, or did not; nothing is noted
	NotifySettled Point = "notify.settled" // committed the outcome, the message is not acknowledged
)

// The points of the timeline, in their order.
const (
	TimelineRows      Point = "timeline.append.rows"      // inserted rows, moved no head
	TimelineHead      Point = "timeline.append.head"      // moved the head, not committed
	TimelineAppended  Point = "timeline.append.committed" // committed, message not acknowledged
	TimelinePruning   Point = "timeline.prune.committed"  // committed that bodies go, deleted none
	TimelinePruned    Point = "timeline.prune.deleted"    // deleted some of them
	TimelineSigned    Point = "timeline.signed"           // signed a checkpoint, stored nothing
	TimelineKept      Point = "timeline.kept"             // the store has it, the sink has not
	TimelinePublished Point = "timeline.published"        // the sink has it, nobody was told
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
	SignRead, SignMade, SignKept, AttestVerified, AttestObject, AttestKept, AttestStamped, AttestLogged, AttestProved,
	ExportRequested, ExportRead, ExportMade, ExportStored, ExportAttested, ExportBundled, ExportNamed, ExportFinished, ExportFailed, ExportPushed, ExportNoted,
	KitContent, KitNamed, KitStaged, KitLearnt, KitRelease, KitActivated, KitDropped, KitCollected,
	LogStaged, LogCommitted, LogTile, LogIntegrated, LogPublished, LogCleaned,
	TimelineRows, TimelineHead, TimelineAppended, TimelinePruning, TimelinePruned, TimelineSigned, TimelineKept, TimelinePublished,
	NotifyRouteEvents, NotifyRouteRead, NotifyRouteGroups, NotifyRouteWritten, NotifyClaimWritten, NotifySettleWritten,
	NotifySetWritten, NotifySetDone, NotifyReplayDone, NotifyAckDone,
}
