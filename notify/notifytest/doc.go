// Package notifytest proves what package notify calls through interfaces: a channel by
// [TestChannel], and a store by the suite of stores.
//
// A [Receiver] is what channels over HTTP are tested against: a real server on this
// machine that answers as it is told, or at random, and knows what it took.
package notifytest
