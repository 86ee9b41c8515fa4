package diagnose

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

func TestScrub(t *testing.T) {
	f := Failure{
		Username: "support.desk@example.net",
		Secrets:  []postroom.Secret{postroom.Hide("abcd efgh ijkl mnop"), postroom.Hide(`pa"ss\word`), postroom.Hide("")},
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00support.desk@example.net\x00abcd efgh ijkl mnop"))
	tests := map[string]struct{ text, want string }{
		"a personal link": {
			"NO [WEBALERT https://accounts.google.com/signin/continue?sarp=1&scc=1&plt=AKgnsbEXAMPLE] Web login required.",
			"NO [WEBALERT https://accounts.google.com/signin/continue] Web login required."},
		"a help page": {
			"NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
			"NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)"},
		"a key in a path":    {"see https://x.example/u/aB3dE5gH7jK9mN1pQ3/go", "see https://x.example/u/[removed]/go"},
		"a user in a link":   {"see https://joe:s3cret@x.example/a", "see https://x.example/a"},
		"an address":         {"NO mailbox joan.smith@customer.example is over quota", "NO mailbox jo…@customer.example is over quota"},
		"the own user name":  {"NO user support.desk unknown", "NO user su… unknown"},
		"the secret itself":  {"BAD LOGIN x abcd efgh ijkl mnop", "BAD LOGIN x [removed]"},
		"without its blanks": {"BAD LOGIN x abcdefghijklmnop", "BAD LOGIN x [removed]"},
		"quoted":             {`BAD LOGIN x "pa\"ss\\word"`, `BAD LOGIN x "[removed]"`},
		"as SASL PLAIN":      {"BAD AUTHENTICATE PLAIN " + plain, "BAD AUTHENTICATE PLAIN [removed]"},
		"a bearer token":     {"NO Bearer ya29.a0AfB_byC3dE4f is stale", "NO Bearer [removed] is stale"},
		"a JWT":              {"NO eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.sig", "NO [removed].[removed].sig"},
		"a named secret":     {`{"refresh_token":"1//abc","error":"invalid_grant"}`, `{"refresh_token":"[removed]","error":"invalid_grant"}`},
		"ordinary words":     {"NO [AUTHENTICATIONFAILED] Basic authentication is disabled", "NO [AUTHENTICATIONFAILED] Basic authentication is disabled"},
		"a setting's name":   {"NO Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", "NO Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)"},
		"a request id":       {"Correlation ID: 12ab34cd-56ef-7890-ab12-cd34ef56ab78", "Correlation ID: 12ab34cd-56ef-7890-ab12-cd34ef56ab78"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := f.scrub(test.text); got != test.want {
				t.Errorf("scrub(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func TestNoSecretPassesAnyWay(t *testing.T) {
	const secret = "tr0ub4dor-and-3"
	var c Catalogue
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.StringMatching(`[ -~]{0,30}`)
		line := words.Draw(t, "before") + " " + secret + words.Draw(t, "after")
		f := Failure{Protocol: postroom.IMAP, Phase: "auth", Secrets: []postroom.Secret{postroom.Hide(secret)}}
		switch rapid.IntRange(0, 2).Draw(t, "where") {
		case 0:
			f.Reply = line
		case 1:
			f.Challenge = line
		case 2:
			f.Err = errors.New(line)
		}
		got := c.Explain(f)
		if all := got.Error() + got.Remedy + got.Reply; strings.Contains(all, secret) {
			t.Fatalf("the secret shows in %q", all)
		}
	})
}

func TestHostileRepliesDoNoHarm(t *testing.T) {
	var c Catalogue
	rapid.Check(t, func(t *rapid.T) {
		reply := string(rapid.SliceOf(rapid.Byte()).Draw(t, "reply"))
		got := c.Explain(Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: reply})
		if got == nil || !utf8.ValidString(got.Reply) || strings.ContainsAny(got.Reply, "\r\n\x00\x1b") {
			t.Fatalf("Explain(%q) shows %q", reply, got.Reply)
		}
	})
	got := c.Explain(Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO " + strings.Repeat("no ", 100_000)})
	if n := len([]rune(got.Reply)); n > maxReply+1 {
		t.Errorf("%d characters are shown, want at most %d", n, maxReply)
	}
}

func TestNormalise(t *testing.T) {
	for text, want := range map[string]string{
		"a1 NO no":                "NO no",
		"NO no":                   "NO no",
		"* BYE bye":               "* BYE bye",
		"+OK ready":               "+OK ready",
		"-ERR one\r\ntwo":         "-ERR one two",
		"  NO\ttab\x00 ":          "NO tab",
		"+ not base64 at all":     "+ not base64 at all",
		"+ eyJzdGF0dXMiOjF9":      `{"status":1}`,
		"220 mail ESMTP":          "220 mail ESMTP",
		"550-5.7.1 a\n550 b":      "550 5.7.1 a b",
		"535-5.7.8 a 535 5.7.8 b": "535 5.7.8 a b",
		"535-a 535 b":             "535 a b",
		"535 a 535 b":             "535 a 535 b", // one line, which names a code
		"no\u00a0[x]  y":          "NO [x] y",
		"a1 no y":                 "NO y",
		"-err [AUTH]":             "-ERR [AUTH]",
		"No, thank you":           "No, thank you",
		"NO can’t":                "NO can't",
		"":                        "",
		"\r\n":                    "",
		"* CAPABILITY IMAP4rev":   "* CAPABILITY IMAP4rev",
	} {
		if got := normalise(text); got != want {
			t.Errorf("normalise(%q) = %q, want %q", text, got, want)
		}
	}
}
