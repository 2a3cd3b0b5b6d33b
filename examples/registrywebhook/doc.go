// Command registrywebhook has every image scanned that is pushed to a registry: it takes the
// registry's webhooks and submits scans to a service of stella.
//
// Copy it if images come into your registry by many ways, and none may be left out. It
// understands the notifications of Docker's distribution and Harbor's PUSH_ARTIFACT.
//
//	STELLA_TOKEN=… WEBHOOK_SECRET=… go run ./examples/registrywebhook -registry registry.example -scanner https://stella.example
//
// Registries send what they are not sure of again. Each image has one scan all the same: the
// key of a submission is made of the image, and the service knows keys. Where the service is
// away the answer is 503, and the registry sends it all again.
//
// What a webhook says is not believed further than this: the registry is the one of the
// settings, whatever host an event names, and what is scanned goes by its digest.
//
// What to change: Labels in submit, which rules of notifications match; read in events.go,
// for registries that say it otherwise; Token in main, where a service of yours gives tokens
// (package services/auth/client renews them and binds them to a key).
package main
