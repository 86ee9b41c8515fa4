package api

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

type mailboxFinder interface {
	Discover(ctx context.Context, by postroom.Viewer, address string) (provider.Found, error)
}

// Found is what was found for an address.
type Found struct {
	Address      string      `json:"address"`
	Domain       string      `json:"domain" doc:"In ASCII."`
	Provider     *Provider   `json:"provider" doc:"Null where it is none that is known by name."`
	Incoming     []Candidate `json:"incoming" nullable:"false" doc:"Servers that it may be read from, the best first; empty where none was found."`
	Outgoing     []Candidate `json:"outgoing" nullable:"false" doc:"Servers that it may send by, the best first."`
	Notes        []string    `json:"notes" nullable:"false" doc:"What people should know before they go on."`
	Tried        []Try       `json:"tried" nullable:"false" doc:"What was asked, in the order in which it counts."`
	Milliseconds int64       `json:"milliseconds"`
}

// Provider is a mail provider that is known by name.
type Provider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Candidate is a server that an address may have.
type Candidate struct {
	Protocol string   `json:"protocol" enum:"imap,pop3,smtp"`
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	TLS      string   `json:"tls" enum:"implicit,starttls"`
	Username string   `json:"username"`
	Source   string   `json:"source" enum:"preset,mx,published,directory,guess"`
	Where    string   `json:"where" doc:"Names the source: a provider, or where it was published."`
	Words    string   `json:"words" doc:"The source, as people read it."`
	SignIns  []string `json:"sign_ins" nullable:"false" doc:"The ways to sign in that are known to work: oauth, app_password, password."`
	Confirm  bool     `json:"confirm" doc:"Whether a person has to look at the host before a password is sent there; a note says why. Mailboxes that are made without servers do not get this one."`
}

// Try is one thing that was asked.
type Try struct {
	Source string `json:"source" enum:"preset,mx,published,directory,guess"`
	Asked  string `json:"asked"`
	Found  bool   `json:"found"`
	Words  string `json:"words" doc:"What came of it."`
}

type discoverInput struct {
	Address string `query:"address" required:"true" maxLength:"1000"`
}

// discover handles GET /discover. That nothing was found is an answer, not an error.
func (s *Server) discover(ctx context.Context, v postroom.Viewer, in *discoverInput) (*answer[Found], error) {
	found, err := s.Mailboxes.Discover(ctx, v, in.Address)
	return answerOf(ShowFound(found), err)
}

// ShowFound is what was found, as the API answers it.
func ShowFound(found provider.Found) Found {
	shown := Found{
		Address: found.Address, Domain: found.Domain, Incoming: showCandidates(found.Incoming), Outgoing: showCandidates(found.Outgoing),
		Notes: append([]string{}, found.Notes...), Tried: make([]Try, 0, len(found.Tried)), Milliseconds: found.Took.Milliseconds(),
	}
	if p := found.Provider; p != nil {
		shown.Provider = &Provider{p.ID, p.Name}
	}
	for _, t := range found.Tried {
		shown.Tried = append(shown.Tried, Try{string(t.Source), t.Asked, t.Found, t.Words})
	}
	return shown
}

func showCandidates(list []provider.Candidate) []Candidate {
	shown := make([]Candidate, 0, len(list))
	for _, c := range list {
		shown = append(shown, Candidate{
			Protocol: string(c.Protocol), Host: c.Host, Port: c.Port, TLS: string(c.TLS), Username: c.Username,
			Source: string(c.Source), Where: c.Where, Words: c.Words(), SignIns: append([]string{}, c.SignIns...), Confirm: c.Confirm,
		})
	}
	return shown
}
