// Package channel is a channel of notifications of your own: a chat that takes a POST of
// {"text": "…"} at an address that is a secret, as Mattermost, Rocket.Chat and many
// home-made bridges do.
//
// Copy it if who must know reads something that the SDK has no channel for. Everything else
// of notifications stays as it is: rules, digests, quiet hours, repetitions and receipts are
// package notify's, and a channel only renders a message and sends it once.
//
// Keep the test: notifytest.TestChannel proves that what is rendered is bounded whatever a
// message holds, that one request is made and never another, that no secret is shown, and
// that each failure says whether the receiver may have the message: on that hangs whether
// people hear twice, or never.
//
// What to change: Type, render, the headers of request, and in judge what your receiver's
// answers mean.
package channel
