package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/vault"
)

// A Relay is a server that takes notices, besides the mailboxes' own.
type Relay struct {
	postroom.ServerSettings        // Username is empty where nobody signs in
	From                    string // the sender's address
	// Password is what it is to be; nil: as it was. It is never read back.
	Password    *postroom.Secret
	HasPassword bool // what is kept
}

// keptRelay is the setting.
type keptRelay struct {
	Host          string `json:"host"`
	Port          int    `json:"port"`
	TLS           string `json:"tls"`
	Username      string `json:"username,omitempty"`
	CACertificate string `json:"ca_certificate,omitempty"`
	PinnedSHA256  string `json:"pinned_sha256,omitempty"`
	From          string `json:"from"`
	Sealed        []byte `json:"sealed,omitempty"` // the password
}

var relayPlace = vault.Place{Table: "setting", Column: "value", Row: settingRelay}

func (d *Desk) keptRelay(ctx context.Context) (k keptRelay, ok bool, err error) {
	text, ok, err := d.Store.Setting(ctx, settingRelay)
	if err != nil || !ok || text == "" {
		return keptRelay{}, false, err
	}
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return keptRelay{}, false, fmt.Errorf("read the relay: %w", err)
	}
	return k, true, nil
}

// Relay returns the relay without its password; ok is false where there is none.
func (d *Desk) Relay(ctx context.Context) (r Relay, ok bool, err error) {
	k, ok, err := d.keptRelay(ctx)
	if err != nil || !ok {
		return Relay{}, false, err
	}
	return Relay{ServerSettings: k.server(), From: k.From, HasPassword: k.Sealed != nil}, true, nil
}

func (k keptRelay) server() postroom.ServerSettings {
	return postroom.ServerSettings{
		Host: k.Host, Port: k.Port, TLS: postroom.TLSPolicy(k.TLS), Username: k.Username,
		CACertificate: k.CACertificate, PinnedSHA256: k.PinnedSHA256,
	}
}

// SetRelay keeps the relay that notices leave by. For administrators.
func (d *Desk) SetRelay(ctx context.Context, by postroom.Viewer, r Relay) error {
	if err := needAdmin(by); err != nil {
		return err
	}
	r.Host, r.From, r.Username = strings.TrimSpace(r.Host), strings.TrimSpace(r.From), strings.TrimSpace(r.Username)
	if f := d.unfit(r); f != nil {
		return f
	}
	k := keptRelay{
		Host: r.Host, Port: r.Port, TLS: string(r.TLS), Username: r.Username,
		CACertificate: r.CACertificate, PinnedSHA256: r.PinnedSHA256, From: r.From,
	}
	was, had, err := d.keptRelay(ctx)
	if err != nil {
		return err
	}
	switch {
	case r.Username == "": // nobody signs in
	case r.Password != nil && !r.Password.IsEmpty():
		if k.Sealed, err = d.Ring.Seal(*r.Password, relayPlace); err != nil {
			return err
		}
	case had && was.Sealed != nil && strings.EqualFold(was.Host, k.Host) && was.Port == k.Port && was.Username == k.Username && was.isAsSafe(k):
		k.Sealed = was.Sealed
	default:
		return invalid("relay.password", "Nobody can sign in to "+k.Host+" as "+shorten(k.Username)+" without a password.",
			"Enter the password that belongs to this server and this user name. What was kept for another one is not sent there.")
	}
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := d.Store.SetSetting(ctx, settingRelay, string(text)); err != nil {
		return err
	}
	d.rests.forget()
	now, err := d.now(ctx)
	if err != nil {
		return err
	}
	if err := d.Store.HurryNotices(ctx, now); err != nil {
		return err
	}
	d.wakeSender()
	return nil
}

// isAsSafe says whether what was kept may be sent with other settings of encryption too.
func (k keptRelay) isAsSafe(other keptRelay) bool {
	return k.TLS == other.TLS && k.CACertificate == other.CACertificate && k.PinnedSHA256 == other.PinnedSHA256
}

// RemoveRelay has notices leave by the mailboxes. For administrators.
func (d *Desk) RemoveRelay(ctx context.Context, by postroom.Viewer) error {
	if err := needAdmin(by); err != nil {
		return err
	}
	return d.Store.SetSetting(ctx, settingRelay, "")
}

// unfit says why a relay cannot be as it is described.
func (d *Desk) unfit(r Relay) *postroom.Fault {
	switch {
	case r.Host == "" || strings.ContainsAny(r.Host, " \t\r\n/@"):
		return invalid("relay.host", "The relay has no name that could be looked up.", "Enter the name of the server alone, such as smtp.example.net.")
	case r.Port < 1 || r.Port > 65535:
		return invalid("relay.port", "A port is a number from 1 to 65535.", "Most servers listen on 465 or 587.")
	case r.TLS != postroom.TLSImplicit && r.TLS != postroom.TLSStart && r.TLS != postroom.TLSNone:
		return invalid("relay.tls", "It is not said how the connection is encrypted.", "Choose implicit for port 465 and starttls for port 587.")
	case r.TLS == postroom.TLSNone && !d.AllowPlaintext && !isLoopback(r.Host):
		return invalid("relay.tls", "Without encryption anybody on the way could read the notices, and the password.", "Choose implicit or starttls. Only a server on this computer needs none.")
	case !isAddress(r.From):
		return invalid("relay.from", "The sender of the notices has no mail address.", "Enter an address that this server may send from, such as postroom@example.net.")
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// The time-outs of handing a notice over.
const (
	relayTimeout       = 30 * time.Second
	relayAnswerTimeout = 20 * time.Second
)

// sendByRelay hands a letter to the relay.
func (d *Desk) sendByRelay(ctx context.Context, k keptRelay, l mime.Letter) (smtp.Fate, *postroom.Fault) {
	var password postroom.Secret
	if k.Sealed != nil {
		var err error
		if password, err = d.Ring.Open(k.Sealed, relayPlace); err != nil {
			return smtp.Fate{Outcome: smtp.NotSent}, &postroom.Fault{
				Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "relay.password",
				Explanation: "The password of the relay cannot be opened with the keys that are here.",
				Remedy:      "Enter it again in the settings of the relay.",
				Err:         err,
			}
		}
	}
	limit := d.relayWait
	if limit == 0 {
		limit = relayTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	fate, err := handOver(ctx, k.server(), password, l)
	return fate, explainRelay(fate, k, password, err)
}

func handOver(ctx context.Context, s postroom.ServerSettings, password postroom.Secret, l mime.Letter) (smtp.Fate, error) {
	client, err := smtp.Open(ctx, smtp.Options{
		Endpoint:       mail.Endpoint{Host: s.Host, Port: s.Port, TLS: s.TLS, CACertificate: s.CACertificate, PinnedSHA256: s.PinnedSHA256},
		Login:          mail.Login{Username: s.Username, Secret: password, Host: s.Host, Port: s.Port},
		CommandTimeout: relayAnswerTimeout, DataTimeout: relayAnswerTimeout, AnswerTimeout: relayAnswerTimeout,
	})
	if err != nil {
		return smtp.Fate{Outcome: smtp.NotSent}, err
	}
	defer client.Close()
	raw := mime.Compose(l)
	return client.Send(ctx, l.From.Address, []string{l.To[0].Address}, int64(len(raw)), bytes.NewReader(raw))
}

// explainRelay says why the relay has not taken a letter; nil: it has.
func explainRelay(fate smtp.Fate, k keptRelay, password postroom.Secret, err error) *postroom.Fault {
	switch {
	case fate.Outcome == smtp.Sent:
		return nil
	case fate.Outcome == smtp.Uncertain:
		return &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
			Explanation: k.Host + " has received the mail, and the connection ended before it said whether it takes it.",
			Remedy:      "Look whether the mail has arrived.",
			Err:         err,
		}
	}
	failure := diagnose.Failure{
		Protocol: postroom.SMTP, Phase: string(mail.PhaseConnect), Err: err, Host: k.Host, Port: k.Port, TLS: postroom.TLSPolicy(k.TLS),
		Username: k.Username, Address: k.From, CredentialKind: postroom.CredentialPassword, Secrets: []postroom.Secret{password},
	}
	if r, ok := mail.RefusalOf(err); ok {
		failure.Phase, failure.Reply, failure.Heard, failure.Challenge = string(r.Phase), r.Reply, r.Heard, r.Challenge
	}
	if f := (&diagnose.Catalogue{}).Explain(failure); f != nil {
		return f
	}
	var timeout net.Error
	f := &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: k.Host + " has not taken the mail.",
		Remedy:      "Look at the settings of the relay. The mail is tried again.",
		Err:         err,
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		f.Class, f.Explanation = postroom.Timeout, k.Host+" did not answer in time."
	}
	return f
}
