// Package postroom holds the words of the product: what exists, in which states
// it can be, and the rules that need nothing but their arguments. Every other
// package speaks in these words. It imports the standard library only.
//
// The way of one message, in these words: the server shows a [Name] in a
// [Numbering]; the name is entered in the ledger as an [Arrival]; its exact bytes
// become a raw; the raw is understood as a [Mail]; the mail becomes an [Entry] of
// an [Issue]; and an [Event] tells whoever wants to know.
package postroom
