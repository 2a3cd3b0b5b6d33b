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
// One round of faults is planned from one seed. "-seed" sets the first, and
// STELLA_LONG=1 runs ten rounds with the seeds that follow; "-rounds" sets
// another number. A round that fails names its seed.
package crash
