package postroom_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestASecretIsBlankedInEveryForm(t *testing.T) {
	const user = "support@example.net"
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, secret := range []string{
		"abcd efgh ijkl mnop", "abcdefghijklmnop", "correct horse battery staple", `pa"ss\wo%41rd&<b>'x`, "Grüße-🔑-naïve-2026",
		"ya29.a0AfB_byC4rT7dQkLm2xYz", "hunter2!", "s3cr", strings.Repeat("kT9-vQ2_", 12),
	} {
		s := postroom.Hide(secret)
		plain := "\x00" + user + "\x00" + secret
		forms := map[string]string{
			"as it is": secret, "quoted": `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret) + `"`,
			"in Go": strconv.Quote(secret), "in HTML": html.EscapeString(secret), "in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
			"in base64": b64(secret), "of PLAIN": b64(plain), "of XOAUTH2": b64("user=" + user + "\x01auth=Bearer " + secret + "\x01\x01"),
			"in base64 for addresses": base64.RawURLEncoding.EncodeToString([]byte(plain)), "within a line in base64": b64(`a1 LOGIN "` + user + `" "` + secret + `"`),
			"in hexadecimal": hex.EncodeToString([]byte(secret)), "in capitals, in base64": strings.ToUpper(b64(plain)),
		}
		if len(secret) >= 10 {
			forms["in capitals"] = strings.ToUpper(secret)
			forms["in small letters"] = strings.ToLower(secret)
			forms["letter by letter"] = strings.Join(strings.Split(secret, ""), " ")
			forms["with dashes"] = strings.ReplaceAll(secret, " ", "-")
		}
		if len(secret) >= 15 {
			half := (len([]rune(secret)) + 1) / 2
			forms["in two lines"] = string([]rune(secret)[:half]) + "\r\n535 5.7.8 " + string([]rune(secret)[half:])
		}
		for name, form := range forms {
			got := s.Blank("535 5.7.8 You said "+form+", which is wrong", "[hidden]", plain)
			if tells(got, secret) || !strings.HasPrefix(got, "535 5.7.8 ") || !strings.HasSuffix(got, "which is wrong") || !strings.Contains(got, "[hidden]") {
				t.Errorf("%q %s: %q", secret, name, got)
			}
		}
	}
}

// tells says whether a text holds more than half of a secret's letters in a row, or a form of it
// in base64.
func tells(text, secret string) bool {
	if strings.Contains(text, secret) || strings.Contains(text, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=")) {
		return true
	}
	half := max(6, len(secret)/2+1)
	for at := 0; at+half <= len(secret); at++ {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret[at:at+half])) {
			return true
		}
	}
	return false
}

func TestWhatIsNoSecretStays(t *testing.T) {
	for _, c := range []struct{ secret, text string }{
		{"", "NO [AUTHENTICATIONFAILED] Invalid credentials"},
		{"A", "NO [AUTHENTICATIONFAILED] Invalid credentials"},
		{"abcdefghijklmnop", "535-5.7.8 Username and Password not accepted. For more information, go to 535 5.7.8 https://support.google.com/mail/?p=BadCredentials"},
		{"Password2026!", "535-5.7.8 Username and Password not accepted."},
		{"my-authentication-2026", "NO [AUTHENTICATIONFAILED] Authentication failed."},
		{"note", "NO to everything"},
		{`pa"ss\word`, "NO [ALERT] Application-specific password required"},
		{"!!!!", "what? no!"},
	} {
		if got := postroom.Hide(c.secret).Blank(c.text, "[hidden]"); got != c.text {
			t.Errorf("%q makes %q of %q", c.secret, got, c.text)
		}
	}
	if got := postroom.Hide("!!!!").Blank("wrong: !!!!", "[hidden]"); got != "wrong: [hidden]" {
		t.Errorf("a secret without letters: %q", got)
	}
	if got := postroom.Hide("NO").Blank("NO: no", "[hidden]"); got != "[hidden]" {
		t.Errorf("a secret that is a word: %q", got)
	}
}

func FuzzBlank(f *testing.F) {
	f.Add("abcd efgh ijkl mnop", "NO ABCDEFGHIJKLMNOP")
	f.Add("\xff\x00é", "\xff\xfe")
	f.Fuzz(func(t *testing.T, secret, text string) {
		got := postroom.Hide(secret).Blank(text, "…", secret+text)
		if len(secret) >= 8 && strings.Contains(got, secret) {
			t.Errorf("%q stays in %q", secret, got)
		}
		_ = fmt.Sprint(got)
	})
}

func BenchmarkBlank(b *testing.B) {
	s := postroom.Hide("abcd efgh ijkl mnop")
	const line = "535-5.7.8 Username and Password not accepted. For more information, go to 535 5.7.8 https://support.google.com/mail/?p=BadCredentials 5b1f17b1804b1 - gsmtp"
	const wrapped = "\x00support@example.net\x00abcd efgh ijkl mnop"
	b.Run("once", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Blank(line, "[hidden]", wrapped)
		}
	})
	b.Run("often", func(b *testing.B) {
		b.ReportAllocs()
		blank := s.Blanker("[hidden]", wrapped)
		for b.Loop() {
			blank(line)
		}
	})
}
