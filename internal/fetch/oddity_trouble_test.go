package fetch_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/simulator"
)

const (
	delayed     = postroom.MailboxDelayed
	needsSignIn = postroom.MailboxNeedsSignIn
	needsRepair = postroom.MailboxNeedsRepair
)

// greets puts a line in the place of the greeting, and hangs up where it says so.
func greets(line string, hangUp bool) twist {
	return func(x *exchange) {
		if x.answers == 1 {
			x.answer, x.hangUp = line+"\r\n", hangUp
		}
	}
}

// farewell ends a connection at its k-th message, or in IDLE when there is none.
func farewell(words string, connections int) twist {
	return func(x *exchange) {
		if x.connection <= connections && (x.isMessage() || x.says("IDLE")) {
			x.answer, x.hangUp = "* "+words+"\r\n", true
		}
	}
}

// replies puts one answer in the place of the one that ends a command.
func replies(command, answer string) twist {
	return func(x *exchange) {
		if x.says(command) && x.isDone() {
			x.answer = x.tag + " " + answer + "\r\n"
		}
	}
}

// certificate is one that an authority of its own has signed.
func certificate(t *testing.T, from, until time.Time, names ...string) simulator.Options {
	t.Helper()
	authority, err := simulator.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, err := authority.Issue(from, until, names...)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return simulator.Options{TLS: postroom.TLSImplicit, Authority: authority, Certificate: &pair}
}

// What passes by itself is a delay, whatever it is called.
func TestTroubleThatPassesIsADelay(t *testing.T) {
	quick := func(f *fetch.Fleet) { f.CommandTimeout = 100 * time.Millisecond }
	for name, o := range map[string]oddity{
		"BYE in place of a greeting":             {faults: simulator.Faults{ByeAtGreeting: "Too many open connections (host 192.0.2.10)"}, class: postroom.TooManyConnections},
		"a server that shuts down":               {faults: simulator.Faults{ByeAtGreeting: "Courier-IMAP server shutting down"}, class: postroom.ServerBusy},
		"BYE without a reason":                   {twist: greets("* BYE", true), class: postroom.ServerBusy},
		"BYE after the sign-in":                  {faults: simulator.Faults{ByeAfterLogin: "Temporary System Error"}, class: postroom.ServerBusy},
		"a greeting that never comes":            {faults: simulator.Faults{Ignore: []string{"GREETING"}}, mailbox: hasty, class: postroom.Timeout},
		"hung up before the greeting":            {twist: greets("", true), class: postroom.ServerBusy},
		"too many connections, in Gmail's words": {faults: simulator.Faults{RefuseLogin: "NO [ALERT] Too many simultaneous connections. (Failure)"}, class: postroom.TooManyConnections},
		"bandwidth, in Gmail's words":            {twist: farewell("BYE [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", 99), class: postroom.BandwidthExceeded},
		"out of order, in Gmail's words":         {faults: simulator.Faults{RefuseLogin: "NO [UNAVAILABLE] Temporary System Problem. Try again later. (Failure)"}, class: postroom.ServerBusy},
		"throttling, in Microsoft's words":       {twist: replies("EXAMINE", "BAD Request is throttled. Suggested Backoff Time: 178755 milliseconds"), class: postroom.RateLimited},
		"a backend down, in Microsoft's words":   {twist: replies("EXAMINE", "NO Server Unavailable. 15"), class: postroom.ServerBusy},
		"a directory that is down":               {faults: simulator.Faults{RefuseLogin: "NO [UNAVAILABLE] Temporary authentication failure. [mail1:2026-11-20 08:00:00]"}, class: postroom.ServerBusy},
		"a folder that is locked":                {twist: replies("EXAMINE", "NO [INUSE] Timeout while waiting for lock"), class: postroom.MailboxInUse},
		"a mistake in the server":                {twist: replies("EXAMINE", "NO [SERVERBUG] Internal error occurred."), class: postroom.ServerBusy},
		"a login rate limit":                     {faults: simulator.Faults{RefuseLogin: "NO [LIMIT] LOGIN Rate limit hit."}, class: postroom.RateLimited},
		"a sign-in that is never answered":       {faults: simulator.Faults{Ignore: []string{"LOGIN", "AUTHENTICATE"}}, mailbox: hasty, class: postroom.Timeout},
		"messages that never come":               {faults: simulator.Faults{Ignore: []string{"UID FETCH"}}, fleet: quick, class: postroom.Timeout},
		"signs of life and no answer":            {fleet: quick, class: postroom.Timeout, twist: drips("EXAMINE")},
		"cut off in every message":               {faults: simulator.Faults{CutInLiteral: 1}, class: postroom.ServerBusy},
		"no such name in the DNS": {class: postroom.DNS,
			mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Host = "mail.nowhere.invalid" },
			want:    map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5, postroom.ArrivalDuplicate: 1}}, // back on the old host it counts anew
		"nobody at the port": {class: postroom.Refused,
			mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Port = 1 }},
	} {
		o.state = delayed
		t.Run(name, o.play)
	}
}

// drips says that it is alive in place of every answer to a command.
func drips(command string) twist {
	return func(x *exchange) {
		if x.says(command) {
			x.answer = strings.Repeat("* OK Still here\r\n", 3)
		}
	}
}

func hasty(_ *oddScene, m *postroom.Mailbox) {
	m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout = 150*time.Millisecond, 150*time.Millisecond
}

// A connection that ends now and then is made again, and that is all.
func TestFarewellsCostAConnectionOnly(t *testing.T) {
	for name, words := range map[string]string{
		"Gmail's session has expired":  "BYE Session expired, please login again.",
		"Gmail's system error":         "BYE System Error (5A0659863E)",
		"Microsoft closes":             "BYE Connection is closed. 13",
		"Microsoft's token is too old": "BYE Session invalidated - AccessTokenExpired",
		"Yandex says it without end":   strings.Repeat("BYE Autologout; idle for too long\r\n* ", 50) + "BYE",
		"Dovecot has seen nobody move": "BYE Disconnected for inactivity.",
		"Dovecot shuts down":           "BYE [UNAVAILABLE] Server shutting down.",
		"no words":                     "BYE",
		"no BYE":                       "OK",
		"no reason, with a code":       "BYE [ALERT]",
		"in letters beyond ASCII":      "BYE Verbindung geschlo\xdfen",
	} {
		o := oddity{twist: farewell(words, 2), cuts: true, during: (*oddScene).oneMore, want: six}
		t.Run(name, o.play)
	}
}

// What no retry can cure asks a person for the right thing.
func TestTroubleThatDoesNotPassAsksForSomething(t *testing.T) {
	again := func(*oddScene, *postroom.Mailbox) {} // the same settings, saved anew
	year := 365 * 24 * time.Hour
	for name, o := range map[string]oddity{
		"a wrong password": {state: needsSignIn, class: postroom.BadCredentials, repair: again,
			faults: simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] Authentication failed."}},
		"a wrong password from the beginning": {state: postroom.MailboxDraft, class: postroom.BadCredentials, repair: again, newcomer: true,
			faults: simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] Authentication failed."}},
		"IMAP switched off": {state: needsRepair, class: postroom.IMAPDisabled, repair: again,
			faults: simulator.Faults{RefuseLogin: "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)"}},
		"another protocol answers": {state: needsRepair, class: postroom.ProtocolMismatch,
			twist: greets("220 mail.example.com ESMTP Postfix", false)},
		"LOGINDISABLED, and nothing else": {state: needsRepair, class: postroom.ProtocolMismatch,
			twist: greets("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready", false)},
		"a folder that is gone": {state: needsRepair, class: postroom.FolderMissing,
			well:    func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Folders = []string{"Archive"} },
			letters: func(s *oddScene) { s.into("Archive", 0, 1) },
			at: func(s *oddScene) {
				if err := s.server.RemoveFolder(simUser, "Archive"); err != nil {
					s.t.Fatal(err)
				}
			},
			during: func(s *oddScene) { s.into("Archive", 1, 5) }},
		"a certificate of nobody known": {state: needsRepair, class: postroom.TLSUntrusted, provider: simulator.Options{TLS: postroom.TLSImplicit},
			well:    encrypted,
			mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.CACertificate = "" }},
		"a certificate that has run out": {state: needsRepair, class: postroom.TLSUntrusted, provider: certificate(t, time.Now().Add(-year), time.Now().Add(-time.Hour), "127.0.0.1"),
			well: pinned, mailbox: encrypted},
		"a certificate for another name": {state: needsRepair, class: postroom.TLSMismatch, provider: certificate(t, time.Now().Add(-time.Hour), time.Now().Add(year), "mail.example.com"),
			well: pinned, mailbox: encrypted},
		"another certificate than the one pinned": {state: needsRepair, class: postroom.TLSUntrusted, provider: simulator.Options{TLS: postroom.TLSImplicit},
			well:    encrypted,
			mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.PinnedSHA256 = strings.Repeat("ab", 32) }},
		"no STARTTLS where it is required": {state: needsRepair, class: postroom.ProtocolMismatch,
			mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.TLS = postroom.TLSStart }},
	} {
		t.Run(name, o.play)
	}
}

// encrypted goes to the provider itself, whose authority is trusted.
func encrypted(s *oddScene, m *postroom.Mailbox) {
	m.Incoming.Port, m.Incoming.TLS = s.server.Port, postroom.TLSImplicit
	m.Incoming.CACertificate, m.Incoming.PinnedSHA256 = s.server.CAPEM, ""
}

// pinned trusts the one certificate of the provider, whatever it says.
func pinned(s *oddScene, m *postroom.Mailbox) {
	s.t.Helper()
	encrypted(s, m)
	conn, err := tls.Dial("tcp", s.server.Address(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
	m.Incoming.CACertificate, m.Incoming.PinnedSHA256 = "", hex.EncodeToString(sum[:])
}
