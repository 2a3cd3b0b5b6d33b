// Command admission is a validating admission webhook for Kubernetes: a pod gets into the
// cluster only if somebody who is trusted has signed, for each of its images, a verdict by
// which the image may be used. Signatures and verdicts are verified here, offline, by a
// trust root that was handed out; no service is asked what to believe.
//
// Copy it if your builds attest images ("stella attest … --policy … --attach", as the
// workflows of examples/ci-scan do) and your clusters are to hold to that.
//
//	go run ./examples/admission -trust trust.json -policy sha256:… -bundles registry -platform linux/amd64 -cert tls.crt -key tls.key
//
// It fails closed: what cannot be read, verified or decided in time is refused, and so are
// images by tag, since a tag may stand for something else when the pod starts. webhook.yaml
// tells the API server to do the same where this program does not answer.
//
// A verdict is about the image for one platform. With -bundles registry what a pod names may
// be an index, and -platform says whose image of it counts. With a folder (for places without
// a registry to ask: DIR/sha256-HEX.jsonl has the bundles of a digest) pods must name that
// image itself.
//
// What to change: Requirement in main (signers, age, logs), images in pod.go if you admit
// workloads, and the namespaces in webhook.yaml.
package main
