// Package chat is what the channels to chats have in common: what a message lists, in
// words and in order, as plain text. It knows no markup: a channel puts each text where
// the receiver takes it as text.
package chat
