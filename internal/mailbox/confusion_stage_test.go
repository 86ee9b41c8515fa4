package mailbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
)

const stageUser = "support@example.net"

// A stage is a provider whose servers can be made to say anything. It plays one reply
// at a time.
type stage struct {
	imap *simulator.Server
	pop  *simulator.POP3Server
	smtp *simulator.SMTPServer
	x    Explainer
}

func newStage(t *testing.T, authority *simulator.Authority, x Explainer) *stage {
	t.Helper()
	mechanisms := []string{"PLAIN", "XOAUTH2"}
	s, err := simulator.Start(simulator.Options{Authority: authority, Mechanisms: mechanisms})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddAccount(stageUser, appPassword)
	if _, err := s.Append(stageUser, "INBOX", []byte("Subject: a\r\n\r\nb\r\n"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	stage := &stage{imap: s, x: x}
	if stage.pop, err = s.StartPOP3(simulator.POP3Options{Shared: true, Mechanisms: mechanisms}); err != nil {
		t.Fatal(err)
	}
	if stage.smtp, err = s.StartSMTP(simulator.SMTPOptions{Mechanisms: mechanisms}); err != nil {
		t.Fatal(err)
	}
	return stage
}

// newExplainer is one that everybody shares.
func newExplainer() Explainer {
	return Explainer{Catalogue: new(diagnose.Catalogue), Presets: new(provider.Presets)}
}

// A scene is a reply as it is said once, at one step, to somebody.
type scene struct {
	reply    knownReply
	mutation string
	text     string // what is said
	step     string // in the words of the simulator
	c        circumstance
}

// play has the reply said, and returns the Fault of what came of it: that of the first
// step of a test that failed. It is nil when nothing failed.
func (s *stage) play(ctx context.Context, p scene) (*postroom.Fault, error) {
	f, ok := simulator.ReplyAt(p.reply.Protocol, p.step, p.text)
	if !ok {
		return nil, errors.New("there is no step " + p.step)
	}
	if p.c.oauth {
		f.Challenge, f.RefuseLogin = p.token()
	}
	s.imap.AddAccount(stageUser, p.c.secret)
	m := s.mailbox(p)
	t := Tester{
		Explainer: s.x, Patience: time.Nanosecond, Dial: s.dial,
		LookUp: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
	c := Credential{Kind: KindPassword, Password: postroom.Hide(p.c.secret)}
	switch {
	case p.c.oauth:
		c = Credential{Kind: KindOAuth, Password: postroom.Hide("ya29.a0AfB_byC4rT7dQkLm2xYz")}
	case p.c.secret == appPassword:
		c.Kind = KindAppPassword
	}
	switch p.reply.Protocol {
	case postroom.IMAP:
		s.imap.SetFaults("", f)
	case postroom.POP3:
		s.pop.SetFaults("", f)
	case postroom.SMTP:
		s.smtp.SetFaults("", f)
	}
	defer s.imap.SetFaults("", simulator.Faults{})
	defer s.pop.SetFaults("", simulator.Faults{})
	defer s.smtp.SetFaults("", simulator.Faults{})
	switch {
	case p.step == "append":
		return s.playAppend(ctx, m, c)
	case p.step == "end":
		return t.sendMail(ctx, m, c, mime.Letter{
			From: postroom.Address{Address: m.Address}, To: []postroom.Address{{Address: "anna@example.com"}}, Subject: "a", Text: "b\n", MessageID: "a@example.net",
		}).Fault, nil
	}
	side := IncomingSide
	if p.reply.Protocol == postroom.SMTP {
		side = OutgoingSide
	}
	return t.Run(ctx, m, c, TestOptions{Side: side}).Fault(), nil
}

// The ports of the servers as the settings name them; the dialer knows where they are.
const (
	imapPort, popPort, smtpPort = 143, 110, 587
)

func (s *stage) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	at := s.imap.Address()
	switch _, port, _ := net.SplitHostPort(addr); port {
	case "110":
		at = s.pop.Address()
	case "587":
		at = s.smtp.Address()
	}
	return new(net.Dialer).DialContext(ctx, network, at)
}

func (s *stage) mailbox(p scene) postroom.Mailbox {
	server := postroom.ServerSettings{Host: p.reply.host(), TLS: postroom.TLSNone, Username: stageUser}
	if p.step == "starttls" {
		server.TLS = postroom.TLSStart
	}
	m := postroom.Mailbox{Address: stageUser, Name: stageUser, Incoming: postroom.IncomingSettings{
		ServerSettings: server, Protocol: p.reply.Protocol, Folders: []string{"INBOX"}, PollInterval: time.Minute,
		ConnectTimeout: 10 * time.Second, AuthTimeout: 10 * time.Second,
	}}
	switch p.reply.Protocol {
	case postroom.POP3:
		m.Incoming.Port = popPort
	case postroom.SMTP:
		m.Incoming.Protocol, m.Incoming.Port = postroom.IMAP, imapPort
		server.Port = smtpPort
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: server}
	default:
		m.Incoming.Port = imapPort
	}
	return m
}

// playAppend puts a message into a folder, as a round trip and a copy of what was sent
// do.
func (s *stage) playAppend(ctx context.Context, m postroom.Mailbox, c Credential) (*postroom.Fault, error) {
	endpoint := mail.Endpoint{Host: m.Incoming.Host, Port: m.Incoming.Port, TLS: postroom.TLSNone, Dial: s.dial}.WithDefaults()
	client, err := imap.Open(ctx, imap.Options{Endpoint: endpoint, Login: mail.Login{Username: stageUser, Secret: c.Password}})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	const text = "Subject: a\r\n\r\nb\r\n"
	err = client.Append(ctx, "INBOX", nil, time.Time{}, int64(len(text)), strings.NewReader(text))
	return s.x.Explain(err, m, c, false), nil
}
