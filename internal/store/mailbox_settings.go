package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// mailboxSettings is the settings column of a mailbox. The instant of the start
// is not in it: the column start_at holds it, because proving the mailbox sets it.
type mailboxSettings struct {
	Incoming    keptIncoming      `json:"incoming"`
	Outgoing    *keptServer       `json:"outgoing,omitempty"`
	Start       string            `json:"start"`
	AfterImport string            `json:"after_import"`
	MoveTo      string            `json:"move_to,omitempty"`
	RawDays     int               `json:"raw_retention_days,omitempty"`
	VisibleTo   string            `json:"visible_to"`
	Users       []postroom.UserID `json:"users,omitempty"`
}

type keptServer struct {
	Host          string `json:"host"`
	Port          int    `json:"port"`
	TLS           string `json:"tls"`
	Username      string `json:"username"`
	CACertificate string `json:"ca_certificate,omitempty"`
	PinnedSHA256  string `json:"pinned_sha256,omitempty"`
}

type keptIncoming struct {
	keptServer
	Protocol         string   `json:"protocol"`
	Folders          []string `json:"folders"`
	ConnectTimeoutMS int64    `json:"connect_timeout_ms"`
	AuthTimeoutMS    int64    `json:"auth_timeout_ms"`
	PollIntervalMS   int64    `json:"poll_interval_ms"`
}

func packSettings(m postroom.Mailbox) (string, error) {
	in := m.Incoming
	s := mailboxSettings{
		Incoming: keptIncoming{
			keptServer:       keepServer(in.ServerSettings),
			Protocol:         string(in.Protocol),
			Folders:          make([]string, len(in.Folders)),
			ConnectTimeoutMS: in.ConnectTimeout.Milliseconds(),
			AuthTimeoutMS:    in.AuthTimeout.Milliseconds(),
			PollIntervalMS:   in.PollInterval.Milliseconds(),
		},
		Start:       string(m.Start.Kind),
		AfterImport: string(m.AfterImport),
		MoveTo:      clean(m.MoveTo),
		RawDays:     m.RawRetentionDays,
		VisibleTo:   string(m.Visibility.Kind),
		Users:       m.Visibility.Users,
	}
	for i, f := range in.Folders {
		s.Incoming.Folders[i] = clean(f)
	}
	if m.Outgoing != nil {
		kept := keepServer(m.Outgoing.ServerSettings)
		s.Outgoing = &kept
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("pack settings of %s: %w", m.Address, err)
	}
	return string(text), nil
}

// unpackSettings fills the settings of m; the instant of the start is the caller's.
func unpackSettings(text string, m *postroom.Mailbox) error {
	var s mailboxSettings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("read settings of mailbox %s: %w", m.ID, err)
	}
	m.Incoming = postroom.IncomingSettings{
		ServerSettings: s.Incoming.settings(),
		Protocol:       postroom.Protocol(s.Incoming.Protocol),
		Folders:        slices.Clone(s.Incoming.Folders),
		ConnectTimeout: time.Duration(s.Incoming.ConnectTimeoutMS) * time.Millisecond,
		AuthTimeout:    time.Duration(s.Incoming.AuthTimeoutMS) * time.Millisecond,
		PollInterval:   time.Duration(s.Incoming.PollIntervalMS) * time.Millisecond,
	}
	if s.Outgoing != nil {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: s.Outgoing.settings()}
	}
	m.Start.Kind = postroom.StartKind(s.Start)
	m.AfterImport = postroom.AfterImport(s.AfterImport)
	m.MoveTo = s.MoveTo
	m.RawRetentionDays = s.RawDays
	m.Visibility = postroom.Visibility{Kind: postroom.VisibilityKind(s.VisibleTo), Users: s.Users}
	return nil
}

func keepServer(s postroom.ServerSettings) keptServer {
	return keptServer{
		Host: clean(s.Host), Port: s.Port, TLS: string(s.TLS), Username: clean(s.Username),
		CACertificate: clean(s.CACertificate), PinnedSHA256: clean(s.PinnedSHA256),
	}
}

func (k keptServer) settings() postroom.ServerSettings {
	return postroom.ServerSettings{
		Host: k.Host, Port: k.Port, TLS: postroom.TLSPolicy(k.TLS), Username: k.Username,
		CACertificate: k.CACertificate, PinnedSHA256: k.PinnedSHA256,
	}
}
