package mailbox

import "github.com/postroom/postroom"

// CompleteSide is Complete for settings of which only one side is wanted: those of
// the other may be missing.
func (r Rules) CompleteSide(m postroom.Mailbox, side Side) (postroom.Mailbox, error) {
	if side == IncomingSide {
		m.Outgoing = nil
	}
	isAlone := side == OutgoingSide && isBlank(m.Incoming.Host)
	if isAlone {
		m = withSomeServer(m)
	}
	m, err := r.Complete(m)
	if isAlone {
		m.Incoming.Host = ""
	}
	return m, err
}

// Complete returns c in the form in which it is kept, and tried: without what pasting
// adds. What cannot be used is a Fault of kind Invalid.
func (c Credential) Complete() (Credential, error) { return c.complete() }
