// Package crash kills, stops and starves the processes of a scanner under load
// and then proves that nothing that was acknowledged is lost and that no effect
// happened twice. It has no code that is imported.
//
// The test binary runs itself as a child process for each role: submitter,
// relay, worker, web, reader and collector. They share a store, a queue and a
// bucket, which are real. What a child has to say, it writes to a pipe; what the
// parent hears of acknowledged jobs goes to a journal that is synced. Afterwards
// the oracle reads the tables and the bucket by itself and compares them with the
// journal.
//
// A run with proofs has two roles more, exporter and attestor, which share a log, and a
// downloader, which reads exports as they stand; web decides by a policy there, and has
// verdicts signed. Its oracle verifies everything against the trust root alone, and makes
// each export once more with nothing that was signed before.
//
// A run with notifications announces events instead of submitting scans. Its roles are
// notify, which decides who is told, delivery, timeline, which also publishes checkpoints,
// and operator, which does what people do: it changes rules, has dead messages sent again,
// and takes note of incidents. All send to one receiver, which belongs to the parent and
// misbehaves until everything was crashed. Its oracle compares what the receiver took with
// what events and rules say by hand, with the tables and with the timeline's export. In a
// flood there are very many messages, and those who deliver are killed until most arrived.
//
// One round of faults is planned from one seed. "-seed" sets the first, and
// STELLA_LONG=1 runs ten rounds with the seeds that follow; "-rounds" sets
// another number. A round that fails names its seed.
package crash
