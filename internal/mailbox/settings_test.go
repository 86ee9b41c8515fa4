package mailbox

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// plain is a mailbox of which only what has to be given is given.
func plain() postroom.Mailbox {
	m := postroom.Mailbox{Address: "support@example.net"}
	m.Incoming.Host = "imap.example.net"
	return m
}

func complete(change func(*postroom.Mailbox)) (postroom.Mailbox, error) {
	m := plain()
	if change != nil {
		change(&m)
	}
	return Rules{Now: noon()}.Complete(m)
}

func byPOP3(change func(*postroom.Mailbox)) func(*postroom.Mailbox) {
	return func(m *postroom.Mailbox) {
		m.Incoming.Protocol = postroom.POP3
		change(m)
	}
}

// moving has mail moved to a folder, from those that are read.
func moving(to string, read ...string) func(*postroom.Mailbox) {
	return func(m *postroom.Mailbox) {
		m.AfterImport, m.MoveTo, m.Incoming.Folders = postroom.AfterImportMove, to, read
	}
}

func TestWhatNobodyChoseIsFilledIn(t *testing.T) {
	got, err := complete(func(m *postroom.Mailbox) {
		m.Address = " Support@Example.NET "
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := postroom.Mailbox{
		Name: "support@example.net", Address: "support@example.net",
		Incoming: postroom.IncomingSettings{
			ServerSettings: postroom.ServerSettings{Host: "imap.example.net", Port: 993, TLS: postroom.TLSImplicit, Username: "Support@Example.NET"},
			Protocol:       postroom.IMAP, Folders: []string{"INBOX"},
			ConnectTimeout: 10 * time.Second, AuthTimeout: 5 * time.Second, PollInterval: time.Minute,
		},
		Outgoing: &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{
			Host: "smtp.example.net", Port: 465, TLS: postroom.TLSImplicit, Username: "Support@Example.NET"}},
		Start:       postroom.Start{Kind: postroom.StartNow},
		AfterImport: postroom.AfterImportKeep,
		Visibility:  postroom.Visibility{Kind: postroom.VisibleToEveryone},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("complete is not what it should be: %s", diff)
	}
	again, err := Rules{Now: noon()}.Complete(got)
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("completing twice changes more: %v %s", err, diff)
	}
}

func TestSettingsThatCannotBeUsed(t *testing.T) {
	server := func(change func(*postroom.ServerSettings)) func(*postroom.Mailbox) {
		return func(m *postroom.Mailbox) { change(&m.Incoming.ServerSettings) }
	}
	tests := map[string]struct {
		change func(*postroom.Mailbox)
		field  string
		words  string
	}{
		"no address":             {func(m *postroom.Mailbox) { m.Address = " " }, "address", "missing"},
		"no @":                   {func(m *postroom.Mailbox) { m.Address = "support" }, "address", "whole mail address"},
		"nothing before the @":   {func(m *postroom.Mailbox) { m.Address = "@example.net" }, "address", "whole"},
		"a blank in the address": {func(m *postroom.Mailbox) { m.Address = "sup port@example.net" }, "address", "cannot be"},
		"two dots":               {func(m *postroom.Mailbox) { m.Address = "a..b@example.net" }, "address", "cannot be"},
		"two addresses":          {func(m *postroom.Mailbox) { m.Address = "a@example.net, b@example.net" }, "address", "cannot be"},
		"a domain with a slash":  {func(m *postroom.Mailbox) { m.Address = "a@example/net" }, "address", "cannot be"},
		"a line break":           {func(m *postroom.Mailbox) { m.Address = "a\r\nb@example.net" }, "address", "cannot be"},
		"too long an address":    {func(m *postroom.Mailbox) { m.Address = strings.Repeat("a", 65) + "@example.net" }, "address", "cannot be"},
		"too long a name":        {func(m *postroom.Mailbox) { m.Name = strings.Repeat("a", 201) }, "name", "too long"},
		"no host":                {server(func(s *postroom.ServerSettings) { s.Host = "" }), "incoming.host", "missing"},
		"a host with a blank":    {server(func(s *postroom.ServerSettings) { s.Host = "imap. example.net" }), "incoming.host", "blank"},
		"a host that is a mail":  {server(func(s *postroom.ServerSettings) { s.Host = "a@example.net" }), "incoming.host", "mail address"},
		"a web address":          {server(func(s *postroom.ServerSettings) { s.Host = "https://example.net" }), "incoming.host", "something else"},
		"a host with a slash":    {server(func(s *postroom.ServerSettings) { s.Host = "example.net/mail" }), "incoming.host", "cannot be"},
		"a host of dots":         {server(func(s *postroom.ServerSettings) { s.Host = "a..b" }), "incoming.host", "cannot be"},
		"two ports":              {server(func(s *postroom.ServerSettings) { s.Host, s.Port = "example.net:993", 143 }), "incoming.host", "another port"},
		"a port that is a word":  {server(func(s *postroom.ServerSettings) { s.Host = "example.net:imap" }), "incoming.host", "another port"},
		"a port too high":        {server(func(s *postroom.ServerSettings) { s.Port = 65536 }), "incoming.port", "no port 65536"},
		"a port below one":       {server(func(s *postroom.ServerSettings) { s.Port = -1 }), "incoming.port", "no port -1"},
		"an unknown encryption":  {server(func(s *postroom.ServerSettings) { s.TLS = "ssl" }), "incoming.tls", "“ssl”"},
		"no encryption far away": {server(func(s *postroom.ServerSettings) { s.TLS = postroom.TLSNone }), "incoming.tls", "for everybody to read"},
		"a CA that is no PEM":    {server(func(s *postroom.ServerSettings) { s.CACertificate = "hello" }), "incoming.ca_certificate", "no certificate"},
		"a CA that is damaged": {server(func(s *postroom.ServerSettings) {
			s.CACertificate = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----"
		}), "incoming.ca_certificate", "damaged"},
		"a key for a CA": {server(func(s *postroom.ServerSettings) {
			s.CACertificate = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----"
		}), "incoming.ca_certificate", "private key"},
		"a pin too short":          {server(func(s *postroom.ServerSettings) { s.PinnedSHA256 = "abcd" }), "incoming.pinned_sha256", "fingerprint"},
		"a pin of other letters":   {server(func(s *postroom.ServerSettings) { s.PinnedSHA256 = strings.Repeat("zz", 32) }), "incoming.pinned_sha256", "fingerprint"},
		"a user name of two lines": {server(func(s *postroom.ServerSettings) { s.Username = "a\nb" }), "incoming.username", "user name"},
		"IMAP at a POP3 server": {func(m *postroom.Mailbox) {
			m.Incoming.Protocol, m.Incoming.Host = postroom.IMAP, "pop3s://pop.example.net"
		}, "incoming.protocol", "POP3, and IMAP is chosen"},
		"folders by POP3":         {byPOP3(func(m *postroom.Mailbox) { m.Incoming.Folders = []string{"INBOX", "Done"} }), "incoming.folders", "knows no folders"},
		"another folder by POP3":  {byPOP3(func(m *postroom.Mailbox) { m.Incoming.Folders = []string{"Done"} }), "incoming.folders", "knows no folders"},
		"marking by POP3":         {byPOP3(func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportMarkRead }), "after_import", "POP3"},
		"moving by POP3":          {byPOP3(func(m *postroom.Mailbox) { m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Done" }), "after_import", "POP3"},
		"an unknown protocol":     {func(m *postroom.Mailbox) { m.Incoming.Protocol = "jmap" }, "incoming.protocol", "“jmap”"},
		"a folder twice":          {func(m *postroom.Mailbox) { m.Incoming.Folders = []string{"inbox", "INBOX"} }, "incoming.folders", "twice"},
		"a folder without a name": {func(m *postroom.Mailbox) { m.Incoming.Folders = []string{"INBOX", " "} }, "incoming.folders", "without a name"},
		"too many folders":        {func(m *postroom.Mailbox) { m.Incoming.Folders = make([]string, 101) }, "incoming.folders", "101 folders"},
		"a connection in no time": {func(m *postroom.Mailbox) { m.Incoming.ConnectTimeout = 500 * time.Millisecond }, "incoming.connect_timeout", "500 milliseconds"},
		"a sign-in for ever":      {func(m *postroom.Mailbox) { m.Incoming.AuthTimeout = 6 * time.Minute }, "incoming.auth_timeout", "6 minutes"},
		"a look without a pause":  {func(m *postroom.Mailbox) { m.Incoming.PollInterval = -time.Second }, "incoming.poll_interval", "-1 seconds"},
		"a look every other day":  {func(m *postroom.Mailbox) { m.Incoming.PollInterval = 48 * time.Hour }, "incoming.poll_interval", "48 hours"},
		"a start to come": {func(m *postroom.Mailbox) {
			m.Start = postroom.Start{Kind: postroom.StartDate, At: noon().Add(time.Hour)}
		}, "start", "still to come"},
		"a start without a day":    {func(m *postroom.Mailbox) { m.Start = postroom.Start{Kind: postroom.StartDate} }, "start", "missing"},
		"an unknown start":         {func(m *postroom.Mailbox) { m.Start.Kind = "later" }, "start", "“later”"},
		"moving to no folder":      {moving(" "), "move_to", "missing"},
		"moving to where it is":    {moving("inbox"), "move_to", "reads that folder"},
		"the same in other words":  {moving("INBOX/Sales", "Sales"), "move_to", "reads that folder"},
		"the same of other signs":  {moving("sales/new", "Sales.New"), "move_to", "reads that folder"},
		"moving to two lines":      {moving("a\nb"), "move_to", "cannot be the name"},
		"moving to a novel":        {moving(strings.Repeat("a", 1001)), "move_to", "cannot be the name"},
		"kept for less than ever":  {func(m *postroom.Mailbox) { m.RawRetentionDays = -1 }, "raw_retention_days", "-1 days"},
		"kept for too long":        {func(m *postroom.Mailbox) { m.RawRetentionDays = 36_501 }, "raw_retention_days", "36501 days"},
		"an unknown action":        {func(m *postroom.Mailbox) { m.AfterImport = "burn" }, "after_import", "“burn”"},
		"for an owner there isn't": {func(m *postroom.Mailbox) { m.Visibility.Kind = postroom.VisibleToOwner }, "visible_to", "no owner"},
		"for nobody":               {func(m *postroom.Mailbox) { m.Visibility.Kind = postroom.VisibleToUsers }, "visible_to", "Nobody"},
		"outgoing without a host":  {func(m *postroom.Mailbox) { m.Outgoing = &postroom.OutgoingSettings{} }, "outgoing.host", "missing"},
		"outgoing in clear": {func(m *postroom.Mailbox) {
			m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net", TLS: postroom.TLSNone}}
		}, "outgoing.tls", "smtp.example.net"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := complete(test.change)
			f, ok := postroom.FaultOf(err)
			if !ok || f.Kind != postroom.Invalid || f.Field != test.field || !strings.Contains(f.Explanation, test.words) || f.Remedy == "" {
				t.Errorf("error %+v, want an invalid %s that says %q", f, test.field, test.words)
			}
		})
	}
}

func TestPastedServersAreTakenApart(t *testing.T) {
	type server = postroom.ServerSettings
	tests := map[string]struct {
		given server
		want  server
	}{
		"an address":                {server{Host: "imaps://Mail.Example.net:1993/"}, server{Host: "mail.example.net", Port: 1993, TLS: postroom.TLSImplicit}},
		"an address in clear":       {server{Host: "imap://mail.example.net"}, server{Host: "mail.example.net", Port: 993, TLS: postroom.TLSImplicit}},
		"an address with a user":    {server{Host: "imap://joe@mail.example.net:143/INBOX"}, server{Host: "mail.example.net", Port: 143, TLS: postroom.TLSStart}},
		"a port behind the host":    {server{Host: "mail.example.net:143"}, server{Host: "mail.example.net", Port: 143, TLS: postroom.TLSStart}},
		"the same port twice":       {server{Host: "mail.example.net:993", Port: 993}, server{Host: "mail.example.net", Port: 993, TLS: postroom.TLSImplicit}},
		"a dot at the end":          {server{Host: "mail.example.net."}, server{Host: "mail.example.net", Port: 993, TLS: postroom.TLSImplicit}},
		"STARTTLS without a port":   {server{Host: "mail.example.net", TLS: postroom.TLSStart}, server{Host: "mail.example.net", Port: 143, TLS: postroom.TLSStart}},
		"an unusual port":           {server{Host: "mail.example.net", Port: 10993}, server{Host: "mail.example.net", Port: 10993, TLS: postroom.TLSImplicit}},
		"an IPv4 address":           {server{Host: "192.0.2.1"}, server{Host: "192.0.2.1", Port: 993, TLS: postroom.TLSImplicit}},
		"an IPv6 address":           {server{Host: "2001:db8::1"}, server{Host: "2001:db8::1", Port: 993, TLS: postroom.TLSImplicit}},
		"an IPv6 address with port": {server{Host: "[2001:db8::1]:143"}, server{Host: "2001:db8::1", Port: 143, TLS: postroom.TLSStart}},
		"a name of another script":  {server{Host: "Post.Bücher.example"}, server{Host: "post.bücher.example", Port: 993, TLS: postroom.TLSImplicit}},
		"a name with an underscore": {server{Host: "mail_1.intern"}, server{Host: "mail_1.intern", Port: 993, TLS: postroom.TLSImplicit}},
		"in clear at home":          {server{Host: "127.0.0.2:10143", TLS: postroom.TLSNone}, server{Host: "127.0.0.2", Port: 10143, TLS: postroom.TLSNone}},
		"in clear at home, by IPv6": {server{Host: "[::1]:10143", TLS: postroom.TLSNone}, server{Host: "::1", Port: 10143, TLS: postroom.TLSNone}},
		"in clear at localhost":     {server{Host: "localhost", TLS: postroom.TLSNone}, server{Host: "localhost", Port: 143, TLS: postroom.TLSNone}},
		"a pin with colons": {server{Host: "a.example", PinnedSHA256: "SHA256 Fingerprint=" + strings.TrimSuffix(strings.Repeat("AB:", 32), ":")},
			server{Host: "a.example", Port: 993, TLS: postroom.TLSImplicit, PinnedSHA256: strings.Repeat("ab", 32)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := complete(func(m *postroom.Mailbox) { m.Incoming.ServerSettings = test.given })
			test.want.Username = "support@example.net"
			if diff := cmp.Diff(test.want, got.Incoming.ServerSettings); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestServersForPOP3(t *testing.T) {
	tests := map[string]struct {
		host     string
		protocol postroom.Protocol
		tls      postroom.TLSPolicy
		want     postroom.ServerSettings
	}{
		"a host alone":       {"pop.example.net", postroom.POP3, "", postroom.ServerSettings{Port: 995, TLS: postroom.TLSImplicit}},
		"STLS":               {"pop.example.net", postroom.POP3, postroom.TLSStart, postroom.ServerSettings{Port: 110, TLS: postroom.TLSStart}},
		"the port of STLS":   {"pop.example.net:110", postroom.POP3, "", postroom.ServerSettings{Port: 110, TLS: postroom.TLSStart}},
		"pasted whole":       {"pop3s://pop.example.net", "", "", postroom.ServerSettings{Port: 995, TLS: postroom.TLSImplicit}},
		"pasted with a port": {"POP3S://pop.example.net:1995/", "", "", postroom.ServerSettings{Port: 1995, TLS: postroom.TLSImplicit}},
		"as RFC 2384 has it": {"pop://support@pop.example.net:110", "", "", postroom.ServerSettings{Port: 110, TLS: postroom.TLSStart}},
		"pasted and chosen":  {"pop3://pop.example.net", postroom.POP3, "", postroom.ServerSettings{Port: 995, TLS: postroom.TLSImplicit}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := complete(func(m *postroom.Mailbox) {
				m.Incoming.Host, m.Incoming.Protocol, m.Incoming.TLS, m.Incoming.Folders = test.host, test.protocol, test.tls, []string{"inbox"}
			})
			test.want.Host, test.want.Username = "pop.example.net", "support@example.net"
			if diff := cmp.Diff(test.want, got.Incoming.ServerSettings); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if in := got.Incoming; in.Protocol != postroom.POP3 || !cmp.Equal(in.Folders, []string{"INBOX"}) {
				t.Errorf("reads %v by %s", in.Folders, in.Protocol)
			}
		})
	}
}

func TestWhatHappensAfterImport(t *testing.T) {
	tests := map[string]struct {
		change func(*postroom.Mailbox)
		want   postroom.AfterImport
		moveTo string
	}{
		"nothing by itself":           {nil, postroom.AfterImportKeep, ""},
		"marked as read":              {func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportMarkRead }, postroom.AfterImportMarkRead, ""},
		"deleted":                     {func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete }, postroom.AfterImportDelete, ""},
		"deleted by POP3":             {byPOP3(func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete }), postroom.AfterImportDelete, ""},
		"moved":                       {moving(" Done/2026 "), postroom.AfterImportMove, "Done/2026"},
		"moved into the inbox":        {moving("inbox", "Sales"), postroom.AfterImportMove, "INBOX"},
		"moved beside what is read":   {moving("Sales/Done", "Sales"), postroom.AfterImportMove, "Sales/Done"},
		"a folder without the moving": {func(m *postroom.Mailbox) { m.AfterImport, m.MoveTo = postroom.AfterImportKeep, "Done" }, postroom.AfterImportKeep, ""},
	}
	for name, test := range tests {
		got, err := complete(test.change)
		if err != nil || got.AfterImport != test.want || got.MoveTo != test.moveTo {
			t.Errorf("%s: %s to %q, %v, want %s to %q", name, got.AfterImport, got.MoveTo, err, test.want, test.moveTo)
		}
	}
	if got, err := complete(func(m *postroom.Mailbox) { m.RawRetentionDays = 90 }); err != nil || got.RawRetentionDays != 90 {
		t.Errorf("kept for %d days, %v", got.RawRetentionDays, err)
	}
}

func TestPlaintextWhereTheAdministratorAllowsIt(t *testing.T) {
	m := plain()
	m.Incoming.TLS = postroom.TLSNone
	if _, err := (Rules{AllowPlaintext: true, Now: noon()}).Complete(m); err != nil {
		t.Error(err)
	}
}

func TestAddressesOfTheWorld(t *testing.T) {
	for given, want := range map[string]string{
		"Support <Support@Example.net>": "support@example.net",
		"mailto:a@example.net":          "a@example.net",
		"jürgen@bücher.example":         "jürgen@bücher.example",
		"用户@例子.测试":                      "用户@例子.测试",
		`"john doe"@example.net`:        `"john doe"@example.net`,
		"a+b=c/d@[192.0.2.1]":           "a+b=c/d@[192.0.2.1]",
		"root@localhost":                "root@localhost",
	} {
		got, err := complete(func(m *postroom.Mailbox) { m.Address = given })
		if err != nil || got.Address != want {
			t.Errorf("address of %q = %q, %v, want %q", given, got.Address, err, want)
		}
	}
}

func TestPasswordsAreTakenAsTheyAreMeant(t *testing.T) {
	tests := map[string]struct {
		kind, password string
		wantKind, want string
		words          string // of a refusal
	}{
		"a pasted line end":            {KindPassword, "secret\r\n", KindPassword, "secret", ""},
		"blanks in a password stay":    {KindPassword, "correct horse", KindPassword, "correct horse", ""},
		"an app password as pasted":    {KindAppPassword, "\u200b abcd efgh\u00a0ijkl mnop\u00a0\r\n", KindAppPassword, "abcd efgh\u00a0ijkl mnop", ""},
		"a line end within":            {"", "abcd efgh\r\nijkl mnop", KindAppPassword, "abcd efgh ijkl mnop", ""},
		"anything else":                {"", "abcd efgh ijkl", KindPassword, "abcd efgh ijkl", ""},
		"hyphens stay":                 {KindAppPassword, "abcd-efgh-ijkl-mnop", KindAppPassword, "abcd-efgh-ijkl-mnop", ""},
		"nothing":                      {KindPassword, " \n", "", "", "missing"},
		"a sign-in":                    {KindOAuth, "", KindOAuth, "", ""},
		"a sign-in with a password":    {KindOAuth, "x", "", "", "has no password here"},
		"an unknown kind":              {"key", "x", "", "", "“key”"},
		"a NUL":                        {KindPassword, "a\x00b", "", "", "cannot be typed"},
		"a file instead of a password": {KindPassword, strings.Repeat("a", 5000), "", "", "far too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Credential{Kind: test.kind, Password: postroom.Hide(test.password)}.Complete()
			if test.words != "" {
				f, ok := postroom.FaultOf(err)
				if !ok || f.Kind != postroom.Invalid || !strings.HasPrefix(f.Field, "credential.") || !strings.Contains(f.Explanation, test.words) {
					t.Errorf("error %v, want one that says %q", err, test.words)
				}
				return
			}
			if err != nil || got.Kind != test.wantKind || got.Password.Reveal() != test.want {
				t.Errorf("complete() = %s %q, %v, want %s %q", got.Kind, got.Password.Reveal(), err, test.wantKind, test.want)
			}
		})
	}
}
