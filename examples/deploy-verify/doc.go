// Command deploy-verify runs a deployment only if somebody who is trusted has signed a
// verdict by which the image may be used. Nothing is asked over a network: the bundle comes
// along with the release, and whom to believe is a file that was handed out once.
//
// Copy deploy.sh if your deployments are scripts and the stella command is at hand, or
// main.go if they are programs. Both do the same:
//
//	./deploy.sh registry.example/web@sha256:… bundle.jsonl sh -c 'kubectl set image deployment/web "web=$IMAGE"'
//	go run ./examples/deploy-verify trust.json registry.example/web@sha256:… bundle.jsonl sh -c '…'
//
// The build makes the bundle by "stella attest IMAGE --key … --policy … -o bundle=bundle.jsonl",
// and "stella attest trust trust.json --key release.pub@2026-01-01.." whom to believe.
//
// It exits with 4 where the image is not proved to be good, 64 for wrong arguments, and
// otherwise as the command does.
//
// What to change: the outcomes that are good enough; whether a log must have it (--logged,
// Expectation.Logged), and how old it may be (Decision.MaxAge).
package main
