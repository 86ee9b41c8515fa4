package provider

import "testing"

func TestSlipsOfTheFingersAreSeen(t *testing.T) {
	for domain, want := range map[string]string{
		"gmial.com": "gmail.com", "gmai.com": "gmail.com", "gmaill.com": "gmail.com", "gmail.con": "gmail.com", "gnail.com": "gmail.com",
		"yaho.com": "yahoo.com", "hotmial.com": "hotmail.com", "outlok.com": "outlook.com", "iclould.com": "icloud.com", "t-onlin.de": "t-online.de",
		"gmx.dee": "gmx.de", "wbe.de": "web.de",
	} {
		if got, _ := meant(domain, false); got != want {
			t.Errorf("meant(%q) = %q, want %q", domain, got, want)
		}
	}
	for _, domain := range []string{"gmail.com", "harbour-tools.net", "example.com", "maple.com", "hey.com"} {
		if got, ok := meant(domain, false); ok {
			t.Errorf("meant(%q) = %q, want nothing", domain, got)
		}
	}
	for _, domain := range []string{"gmy.de", "wob.de", "ma.com", "hotmailcenter.com", "gmx.eu"} { // somebody's
		if got, ok := meant(domain, true); ok {
			t.Errorf("meant(%q), which takes mail, = %q, want nothing", domain, got)
		}
	}
	if got, _ := meant("gmial.com", true); got != "gmail.com" {
		t.Errorf("meant(gmial.com), which takes mail, = %q, want gmail.com", got)
	}
}
