package diagnose

import (
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// Whoever signs in at the provider has no password to enter, whatever words a mail
// server uses.
func TestATokenThatIsRefusedNeverAsksForAPassword(t *testing.T) {
	var c Catalogue
	all, _ := samples(t)
	hosts := map[string][2]string{"gmail": {"imap.gmail.com", "gmail"}, "microsoft": {"outlook.office365.com", "microsoft365"}, "yahoo": {"imap.mail.yahoo.com", "yahoo"}}
	pages := map[postroom.Class]postroom.Link{
		postroom.BadCredentials: {Words: "make an app password", URL: "https://a.example"}, postroom.AppPasswordRequired: {Words: "make an app password", URL: "https://a.example"},
	}
	asked := 0
	for _, s := range all {
		protocol := postroom.Protocol(s.Protocol)
		if s.Protocol == "words" {
			protocol = postroom.IMAP
		}
		if protocol != postroom.IMAP && protocol != postroom.POP3 && protocol != postroom.SMTP || s.Phase != "auth" && s.Phase != "any" {
			continue
		}
		for _, at := range append([][2]string{{"imap.example.net", ""}}, hosts[s.Provider]) {
			f := c.Explain(Failure{Protocol: protocol, Phase: "auth", Reply: s.Sample, CredentialKind: postroom.CredentialOAuth, Host: at[0], Provider: at[1], Links: pages})
			if f.Kind != postroom.NeedsSignIn {
				continue
			}
			asked++
			text := strings.ToLower(f.Explanation + " " + f.Remedy + " " + strings.Join(f.Others, " ") + f.Link.Words)
			if strings.Contains(text, "app password") || strings.Contains(text, "enter") || strings.Contains(text, "type the password") {
				t.Errorf("%s at %s: %q, %q, %q, %q", s.ID, at[0], f.Explanation, f.Remedy, f.Others, f.Link.Words)
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d ask to sign in", asked)
	}
}
