package provider

import (
	"strings"
	"testing"
	"unicode"
)

// checkCandidates holds what every reader of published settings promises.
func checkCandidates(t *testing.T, list []Candidate) {
	t.Helper()
	if len(list) > maxServers {
		t.Errorf("%d servers", len(list))
	}
	for _, c := range list {
		if !isHostName(c.Host) || c.Host != strings.ToLower(c.Host) || c.Port < 1 || c.Port > 65535 || c.TLS != "implicit" && c.TLS != "starttls" {
			t.Errorf("%+v", c)
		}
		if c.Username == "" || strings.ContainsFunc(c.Username, unicode.IsControl) {
			t.Errorf("user name %q", c.Username)
		}
	}
}

func FuzzAutoconfig(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0" encoding="iso-8859-1"?><clientConfig version="1.1"><emailProvider><incomingServer type="imap"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username><authentication>OAuth2</authentication></incomingServer></emailProvider></clientConfig>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>`))
	f.Add([]byte(strings.Repeat("<clientConfig>", 20)))
	f.Add([]byte(`<clientConfig><emailProvider>` + strings.Repeat(`<incomingServer type="pop3"><hostname>a.b</hostname><port>995</port><socketType>TLS</socketType></incomingServer>`, 30) + `</emailProvider></clientConfig>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, _ := readAutoconfig(text, "example.net")
		checkCandidates(t, list)
	})
}

func FuzzAutodiscover(f *testing.F) {
	f.Add([]byte(`<Autodiscover><Response><Account><Protocol><Type>IMAP</Type><Server>mail.example.net</Server><Port>993</Port><SSL>on</SSL><LoginName>x</LoginName></Protocol></Account></Response></Autodiscover>`))
	f.Add([]byte(`<Autodiscover/>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, _ := readAutodiscover(text)
		checkCandidates(t, list)
	})
}

func FuzzPACC(f *testing.F) {
	f.Add([]byte(`{"protocols":{"imap":{"host":"imap.example.net"},"submit":{"host":"IMAP.example.net."}},"authentication":{"password":true}}`))
	f.Add([]byte(`{"protocols":{"imap":[],"smtp":null},"authentication":{"oauth-public":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, _ := readPACC(text)
		checkCandidates(t, list)
	})
}

func FuzzPACCDigest(f *testing.F) {
	f.Add("v=UAAC1; a=sha256; d=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	f.Add("v=;;=;d==")
	f.Fuzz(func(t *testing.T, record string) {
		for _, d := range paccDigests([]string{record}) {
			if len(d) != 32 {
				t.Errorf("a digest of %d bytes", len(d))
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("anna+tag@example.net")
	f.Add(`"a b"@bücher.de`)
	f.Add("Anna <anna@example.net>")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := readAddress(text)
		if err != nil {
			return
		}
		if !isHostName(a.domain) || a.local == "" || strings.ContainsFunc(a.typed, unicode.IsControl) || !strings.HasSuffix(a.inASCII(), "@"+a.domain) {
			t.Errorf("%q: %+v", text, a)
		}
	})
}
