package provider

import (
	"time"

	"github.com/postroom/postroom"
)

// A Source is where a setting comes from.
type Source string

// The sources, the most reliable first.
const (
	SourcePreset    Source = "preset"    // a known provider, by the domain of the address
	SourceMX        Source = "mx"        // a known provider, by its mail exchanger
	SourcePublished Source = "published" // by the domain itself: autoconfig, PACC, SRV records, Autodiscover
	SourceDirectory Source = "directory" // by a directory that others keep (ISPDB)
	SourceGuess     Source = "guess"     // a usual name at which a server answered
)

// Found is what was found for an address.
type Found struct {
	Address  string
	Domain   string  // in ASCII (RFC 5891)
	Provider *Preset // nil: none that is known
	// Incoming and Outgoing are servers that fit, the best first: IMAP before POP3,
	// TLS from the first byte before STARTTLS. Empty: none was found.
	Incoming, Outgoing []Candidate
	// Notes are sentences about what people should know before they go on, such as
	// that the provider takes app passwords only, or that it cannot be read at all.
	Notes []string
	Tried []Try // what was asked, in the order in which it counts
	Took  time.Duration
}

// A Candidate is a server that an address may have.
type Candidate struct {
	Protocol postroom.Protocol
	Host     string
	Port     int
	TLS      postroom.TLSPolicy
	Username string // for this address
	Source   Source
	// Where names the source: a provider, or where it was published.
	Where string
	// SignIns are the ways that are known to work: oauth, app_password, password.
	SignIns []string
	// Confirm says that a person has to look at the host before a password is sent
	// there: it is somebody else's, and nothing but the DNS or a page in clear says so,
	// or its certificate is not good for it. A note says why.
	Confirm bool
}

// A Try is one thing that was asked.
type Try struct {
	Source Source
	Asked  string // what, such as "autoconfig.example.net"
	Found  bool
	Words  string // what came of it
}

// Words says where a candidate comes from, as people read it: "known provider
// (Gmail)", "published by example.net", "found by the mail exchanger
// aspmx.l.google.com (Google Workspace)", "guessed, please test".
func (c Candidate) Words() string {
	switch c.Source {
	case SourcePreset:
		return "known provider (" + c.Where + ")"
	case SourceMX:
		return "found by the mail exchanger " + c.Where
	case SourcePublished:
		return "published by " + c.Where
	case SourceDirectory:
		return "listed in the directory " + c.Where
	}
	return "guessed, please test"
}
