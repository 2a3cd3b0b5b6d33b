// Command pipeline is everything at once, in one process: a request comes in at the door, the
// job waits in a queue, a worker scans and matches, a policy decides, the verdict is signed,
// and who must know is told. The store is a SQLite file, the queue and the objects are in
// memory.
//
// Copy it if you build a service of your own out of the packages: each step is a few lines,
// and with other URLs for store, queue and bucket the steps run in as many processes as you
// like, on PostgreSQL, Valkey or NATS, and S3.
//
//	go run ./examples/pipeline FOLDER RECORDS
//
// FOLDER is scanned in place of an image, RECORDS is a folder of OSV records. The comments
// number the steps: a request (1), the door (2), the store (3), a message (4), a worker (5)
// that keeps documents (6), matches (7) and reports (8), the policy (9), a signature (10), an
// event (11), and who must know (12). docs/architecture.md says what holds wherever one of
// them dies: "From a request to a completed scan".
//
// What to change: identify, which lets anybody in; openImage, which scans a folder whatever it
// is asked for; the policy; and the console, for a channel of package notify.
package main
