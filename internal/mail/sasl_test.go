package mail

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/postroom/postroom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The exchange of RFC 7677 section 3.
func rfc7677() *scram {
	s := newScram(Login{Username: "user", Secret: postroom.Hide("pencil")})
	s.nonce = "rOprNGfwEbeRWgbNEkqO"
	return s
}

const (
	serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	clientFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func TestSCRAM(t *testing.T) {
	s := rfc7677()
	if got := string(s.Start()); got != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
		t.Errorf("Start = %q", got)
	}
	got, err := s.Next([]byte(serverFirst))
	if err != nil || string(got) != clientFinal {
		t.Errorf("Next = %q, %v", got, err)
	}
	if s.Done() == nil {
		t.Error("Done before the server's proof")
	}
	got, err = s.Next([]byte(serverFinal))
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("Next = %q, %v, want an empty answer", got, err)
	}
	if err := s.Done(); err != nil {
		t.Errorf("Done: %v", err)
	}
	if _, err := s.Next(nil); err == nil {
		t.Error("the exchange goes on for ever")
	}
}

func TestSCRAMWithServersThatCannotBeTrusted(t *testing.T) {
	for name, messages := range map[string][]string{
		"a nonce of its own":    {"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"},
		"our nonce unchanged":   {"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"},
		"too few iterations":    {strings.Replace(serverFirst, "i=4096", "i=4095", 1)},
		"too many iterations":   {strings.Replace(serverFirst, "i=4096", "i=1000000000", 1)},
		"iterations of words":   {strings.Replace(serverFirst, "i=4096", "i=many", 1)},
		"no salt":               {"r=rOprNGfwEbeRWgbNEkqOx,i=4096"},
		"salt of rubbish":       {"r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096"},
		"an unknown extension":  {"m=x," + serverFirst},
		"an error first":        {"e=unknown-user"},
		"an error last":         {serverFirst, "e=invalid-proof"},
		"a wrong signature":     {serverFirst, "v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
		"a signature of nobody": {serverFirst, "v=?"},
		"no signature":          {serverFirst, "x=y"},
	} {
		t.Run(name, func(t *testing.T) {
			s := rfc7677()
			s.Start()
			var err error
			for _, m := range messages {
				_, err = s.Next([]byte(m))
			}
			if err == nil || s.Done() == nil {
				t.Errorf("err = %v, Done = %v", err, s.Done())
			}
		})
	}
}

func TestPasswordsArePreparedForSCRAM(t *testing.T) {
	for given, want := range map[string]string{ // examples of RFC 4013 section 3
		"I\u00adX":      "IX",
		"user":          "user",
		"USER":          "USER",
		"\u00aa":        "a",
		"\u2168":        "IX",
		"a\u3000b":      "a b",
		"p\u0061\u0308": "p\u00e4",
	} {
		if got := prepare(given); got != want {
			t.Errorf("prepare(%q) = %q, want %q", given, got, want)
		}
	}
}

func TestFirstResponses(t *testing.T) {
	anna := Login{Username: "anna@example.net", Secret: postroom.Hide("pässword"), Host: "imap.example.net", Port: 993}
	for name, test := range map[string]struct {
		login Login
		want  string
	}{
		Plain:     {anna, "\x00anna@example.net\x00pässword"},
		LoginSASL: {anna, ""},
		// https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
		XOAuth2: {Login{Username: "someuser@example.com", Secret: postroom.Hide("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")},
			"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"},
		// RFC 7628 section 4.1
		OAuthBearer: {Login{Username: "user@example.com", Secret: postroom.Hide("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="), Host: "server.example.com", Port: 143},
			"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"},
	} {
		m, err := test.login.Begin(strings.ToLower(name))
		if err != nil || m.Name() != name || string(m.Start()) != test.want {
			t.Errorf("%s starts with %q, %v", name, m.Start(), err)
		}
	}
	odd := anna
	odd.Username = "a=b,c"
	if m, _ := odd.Begin(OAuthBearer); !strings.HasPrefix(string(m.Start()), "n,a=a=3Db=2Cc,\x01") {
		t.Errorf("Start = %q", m.Start())
	}
	odd.Username = "a\x00b"
	if _, err := odd.Begin(Plain); err == nil {
		t.Error("PLAIN with a NUL")
	}
	if _, err := anna.Begin("NTLM"); err == nil {
		t.Error("NTLM is spoken")
	}
}

func TestChoiceOfMechanism(t *testing.T) {
	for name, test := range map[string]struct {
		login     Login
		offered   string
		encrypted bool
		want      string
	}{
		"PLAIN under encryption":           {Login{}, "SCRAM-SHA-256 LOGIN plain", true, Plain},
		"SCRAM in clear":                   {Login{}, "LOGIN PLAIN SCRAM-SHA-256", false, ScramSHA256},
		"LOGIN where there is no other":    {Login{}, "NTLM LOGIN", true, LoginSASL},
		"SCRAM where there is no other":    {Login{}, "SCRAM-SHA-256", true, ScramSHA256},
		"none where none fits":             {Login{}, "GSSAPI XOAUTH2", true, ""},
		"XOAUTH2 for a token":              {Login{OAuth: true}, "PLAIN OAUTHBEARER xoauth2", true, XOAuth2},
		"OAUTHBEARER if there is no other": {Login{OAuth: true}, "PLAIN oauthbearer", false, OAuthBearer},
		"no password's way for a token":    {Login{OAuth: true}, "PLAIN LOGIN SCRAM-SHA-256", true, ""},
		"what was asked for, at any rate":  {Login{Mechanism: "xoauth2"}, "PLAIN", true, XOAuth2},
	} {
		if got, ok := test.login.Choose(strings.Fields(test.offered), test.encrypted); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: Choose = %q, %v, want %q", name, got, ok, test.want)
		}
	}
}

func TestScrub(t *testing.T) {
	login := func(secret string) Login { return Login{Username: "anna", Secret: postroom.Hide(secret)} }
	for name, test := range map[string]struct {
		login      Login
		text, want string
	}{
		"as it is":        {login("abcd efgh"), "NO abcd efgh is wrong", "NO [hidden] is wrong"},
		"quoted":          {login(`a"b\c`), `BAD LOGIN "a\"b\\c"`, `BAD LOGIN "[hidden]"`},
		"in base64":       {login("secret"), "BAD c2VjcmV0?", "BAD [hidden]?"},
		"in PLAIN":        {login("secret"), "BAD AGFubmEAc2VjcmV0", "BAD [hidden]"},
		"short, a word":   {login("NO"), "NO: no", "[hidden]"},
		"short, no word":  {login("A"), "NO [AUTHENTICATIONFAILED]", "NO [AUTHENTICATIONFAILED]"},
		"nothing to hide": {Login{}, "NO [X] y", "NO [X] y"},
	} {
		if got := test.login.Scrub(test.text); got != test.want {
			t.Errorf("%s: Scrub = %q, want %q", name, got, test.want)
		}
	}
}

func TestOfALongTextTheBeginningIsScrubbed(t *testing.T) {
	l := Login{Username: "anna", Secret: postroom.Hide("abcd efgh ijkl mnop")}
	for _, before := range []int{0, 10_000, maxShown - 30, maxShown - 5, maxScrubbed - 30, maxScrubbed - 10, maxScrubbed - 3, maxScrubbed, 900_000} {
		text := strings.Repeat("é", before/2) + " abcd efgh ijkl mnop " + strings.Repeat("z", 1<<20)
		got := l.Scrub(text)
		if len(got) > maxScrubbed || !utf8.ValidString(got) || strings.Contains(got, "efgh") || strings.Contains(got, "ijkl") {
			t.Errorf("after %d bytes: %d bytes are left, which end %q", before, len(got), got[max(len(got)-60, 0):])
		}
		if before < maxShown-30 && !strings.Contains(got, hidden) {
			t.Errorf("after %d bytes: the secret is not where it stood", before)
		}
	}
}
