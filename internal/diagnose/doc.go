// Package diagnose turns a refusal into a Fault.
//
// What servers say is looked up in mail-errors.yaml, whose head is the contract; what
// Go knows of a network, a name or a certificate decides by its type. Everything that
// people read stands in three places, for whoever translates it: the remedies of
// mail-errors.yaml, the sentences of each class in words.go, and those of networks and
// certificates in words_network.go.
package diagnose
