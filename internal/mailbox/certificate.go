package mailbox

import "time"

// A Certificate is what a server showed to prove who it is.
type Certificate struct {
	Subject, Issuer     string
	Names               []string // those that it is for
	NotBefore, NotAfter time.Time
	SHA256              string // of its DER, in hex: what a mailbox can be pinned to
}
