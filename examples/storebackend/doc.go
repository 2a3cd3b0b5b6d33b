// Package storebackend keeps what the SDK keeps in places of your own, and proves that they
// keep it.
//
// Copy Bucket if documents and artifacts are to go somewhere that the SDK has no driver for.
// It is the driver of a blob.Bucket over tables of an SQL database; any service that can
// replace an object as a whole, list in order and copy inside will do. Queues
// (queue.Driver, queuetest) and caches (cache.Driver, cachetest) are made in the same way.
//
// Copy Observed if the store is one of the SDK's and you want to stand in front of it: to
// measure, to trace, to log, to limit. It counts and times each call.
//
// Keep the tests. blobtest.Test proves a driver: whole writes, ranges, order, collections,
// damaged objects. storetest.TestScans proves whatever claims to keep scans, and
// storetest.TestRoot a relational backend as a whole.
//
// What to change: in Bucket the statements, whose placeholders are those of SQLite and
// MySQL; in Observed what becomes of a Call.
package storebackend
