package provider

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTheFormsOfASecret(t *testing.T) {
	tests := map[string]struct {
		id, secret string
		want       []string
	}{
		"Gmail, as shown":                                 {"gmail", "abcd efgh ijkl mnop", []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"}},
		"Gmail, without blanks":                           {"gmail", "abcdefghijklmnop", []string{"abcdefghijklmnop"}},
		"Gmail, copied from a page":                       {"gmail", "abcd\u00a0efgh\u00a0ijkl\u00a0mnop\r\n", []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"}},
		"Gmail, blanks around":                            {"gmail", "  abcd efgh ijkl mnop ", []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"}},
		"Gmail, in two lines":                             {"gmail", "abcd efgh\nijkl mnop", []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"}},
		"Gmail, with marks that nobody sees":              {"gmail", "\ufeffabcd\u200befghijklmnop", []string{"abcdefghijklmnop"}},
		"Gmail, with dashes":                              {"gmail", "abcd-efgh-ijkl-mnop", []string{"abcdefghijklmnop", "abcd-efgh-ijkl-mnop"}},
		"Gmail, what is no app password":                  {"gmail", "correct horse", []string{"correct horse", "correcthorse"}},
		"iCloud wants the dashes":                         {"icloud", "abcd-efgh-ijkl-mnop", []string{"abcd-efgh-ijkl-mnop", "abcdefghijklmnop"}},
		"iCloud, the dashes lost":                         {"icloud", "abcdefghijklmnop", []string{"abcd-efgh-ijkl-mnop", "abcdefghijklmnop"}},
		"iCloud, the dashes of a word processor":          {"icloud", "abcd–efgh–ijkl–mnop\n", []string{"abcd-efgh-ijkl-mnop", "abcdefghijklmnop"}},
		"Fastmail":                                        {"fastmail", "ab1d ef2h ij3l mn4p", []string{"ab1def2hij3lmn4p", "ab1d ef2h ij3l mn4p"}},
		"T-Online: chosen by a person, blanks count":      {"t_online", "abcd efgh", []string{"abcd efgh"}},
		"T-Online: outer blanks only as the second":       {"t_online", " my secret ", []string{"my secret", " my secret "}},
		"a provider that nothing is known of, in groups":  {"strato", "abcd efgh ijkl mnop\n", []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"}},
		"a provider that nothing is known of, in dashes":  {"strato", "ab12-cd34-ef56", []string{"ab12-cd34-ef56", "ab12cd34ef56"}},
		"a passphrase stays as it is":                     {"strato", "correct horse battery staple", []string{"correct horse battery staple"}},
		"a passphrase with blanks around":                 {"strato", " correct horse ", []string{"correct horse", " correct horse "}},
		"an ordinary password":                            {"strato", "Pa$$w0rd-with–dash", []string{"Pa$$w0rd-with–dash"}},
		"no provider":                                     {"", "abcd efgh ijkl mnop", []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"}},
		"no provider, letters of other scripts are words": {"", "äöüß éèêë", []string{"äöüß éèêë"}},
		"blanks alone, which somebody may have chosen":    {"gmail", "   ", []string{"   "}},
		"nothing":                {"gmail", "", nil},
		"bytes that are no text": {"gmail", "\xff\xff ", []string{"\xff\xff "}},
		"a line end alone":       {"gmail", "\r\n", nil},
	}
	var presets Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := presets.ByID(test.id)
			if diff := cmp.Diff(test.want, p.NormalForms(test.secret)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatLooksLikeAnAppPassword(t *testing.T) {
	tests := map[string]struct {
		id, secret   string
		looks, known bool
	}{
		"Gmail, as shown":                {"gmail", "abcd efgh ijkl mnop\n", true, true},
		"Gmail, without blanks":          {"gmail", "abcdefghijklmnop", true, true},
		"Gmail, a password":              {"gmail", "Summer2026!", false, true},
		"Gmail, one letter short":        {"gmail", "abcd efgh ijkl mno", false, true},
		"iCloud, with dashes":            {"icloud", "abcd-efgh-ijkl-mnop", true, true},
		"QQ, with blanks from a page":    {"qq", "abcd efgh ijkl mnop", true, true},
		"GMX has no shape":               {"gmx_net", "abcdefgh", false, false},
		"a provider that is not known":   {"", "abcd efgh ijkl mnop", false, false},
		"Gmail, nothing":                 {"gmail", "", false, true},
		"Gmail, bytes that are no text":  {"gmail", "\xff\xfe", false, true},
		"Gmail, two app passwords":       {"gmail", "abcdefghijklmnop abcdefghijklmnop", false, true},
		"Yandex, upper case":             {"yandex", "ABCDEFGHIJKLMNOP", false, true},
		"Fastmail, letters and digits":   {"fastmail", "ab1d ef2h ij3l mn4p", true, true},
		"Google Workspace like Gmail":    {"google_workspace", "abcd\u202fefgh\u202fijkl\u202fmnop", true, true},
		"Microsoft 365 has none to show": {"microsoft365", "abcdefghijklmnop", false, false},
	}
	var presets Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := presets.ByID(test.id)
			if looks, known := p.LooksLikeAppPassword(test.secret); looks != test.looks || known != test.known {
				t.Errorf("looks %t, known %t, want %t, %t", looks, known, test.looks, test.known)
			}
		})
	}
}

// checkForms wants what NormalForms promises for any secret at any provider.
func checkForms(t interface {
	Helper()
	Fatalf(string, ...any)
}, p *Preset, secret string) {
	t.Helper()
	forms := p.NormalForms(secret)
	if len(forms) > 2 || len(forms) == 2 && forms[0] == forms[1] {
		t.Fatalf("%q: the forms are %q", secret, forms)
	}
	if len(forms) == 0 && strings.Trim(secret, "\r\n") != "" {
		t.Fatalf("%q: nothing to try", secret)
	}
	for _, f := range forms {
		if f == "" || len(f) > len(secret)+len(secret)/4+3 {
			t.Fatalf("%q: the form %q", secret, f)
		}
		if utf8.ValidString(secret) && !utf8.ValidString(f) {
			t.Fatalf("%q: the form %q is no text any more", secret, f)
		}
	}
}

func TestEverySecretHasOneFormOrTwo(t *testing.T) {
	var presets Presets
	all := append(presets.All(), nil)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(all).Draw(t, "provider")
		secret := rapid.OneOf(rapid.String(),
			rapid.StringMatching(`[ \t\n\x{00a0}]?([a-z0-9]{3,5}[ \-\x{2013}\x{200b}]?){1,5}[ \r\n]?`)).Draw(t, "secret")
		checkForms(t, p, secret)
	})
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"gmail.com", "a@b", "xn--bcher-kva.example", "..", "abcd efgh ijkl mnop\n", "\xff", "*.google.com", "mx00.ionos.[", "ﬀ.com", "xn--", "a.b.c.d.e.f"} {
		f.Add(seed)
	}
	var presets Presets
	gmail, _ := presets.ByID("gmail")
	f.Fuzz(func(t *testing.T, text string) {
		for _, find := range []func() (*Preset, bool){
			func() (*Preset, bool) { return presets.ByDomain(text) },
			func() (*Preset, bool) { return presets.ByMX([]string{text}) },
			func() (*Preset, bool) { return presets.ByHost(text) },
			func() (*Preset, bool) { return presets.For(text, text) },
		} {
			if p, ok := find(); ok != (p != nil) {
				t.Fatalf("%q: %v, %t", text, p, ok)
			}
		}
		gmail.ServersFor(text)
		checkForms(t, gmail, text)
		checkForms(t, nil, text)
	})
}
